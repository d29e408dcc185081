//! Which change log a command is about, and its entries, page by page.

use clap::Args;

use crate::cli::answer::CliError;
use crate::cli::client::{Client, PAGE_SIZE};
use crate::service::proto;

/// Whose log.
#[derive(Debug, Args)]
pub struct Source {
    /// The change log of this account, or only decisions of it; without it, the change log of the
    /// server's only account
    #[arg(long, value_name = "UIN", conflicts_with = "operator")]
    pub owner: Option<u64>,
    /// The operator's log: changes of service callers and of the operator's presets
    #[arg(long, conflicts_with = "file")]
    pub operator: bool,
}

/// Some entries, and how long the log is.
pub(super) struct Page {
    pub(super) records: Vec<proto::ChangeRecord>,
    pub(super) last_sequence: u64,
}

impl Source {
    /// The account; 0 for the operator's log.
    pub(super) async fn owner_uin(&self, client: &mut Client) -> Result<u64, CliError> {
        match self.owner {
            _ if self.operator => Ok(0),
            Some(owner_uin) => Ok(owner_uin),
            None => client.owner().await,
        }
    }
}

/// The entries of a log from a number on.
pub(super) async fn page(
    client: &mut Client,
    owner_uin: u64,
    first_sequence: u64,
) -> Result<Page, CliError> {
    let page = Some(proto::PageRequest { page_size: PAGE_SIZE, page_token: String::new() });
    if owner_uin == 0 {
        let request = proto::ListOperatorChangesRequest { first_sequence, page };
        let found = client.audit.list_operator_changes(request).await?.into_inner();
        return Ok(Page { records: found.records, last_sequence: found.last_sequence });
    }
    let consistency = None;
    let request = proto::ListChangeRecordsRequest { owner_uin, first_sequence, consistency, page };
    let found = client.administration.list_change_records(request).await?.into_inner();
    Ok(Page { records: found.records, last_sequence: found.last_sequence })
}
