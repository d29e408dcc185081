//! `audit tail` without FILE: the newest entries of a change log, and new ones as they come.

use std::io::Write;

use super::source::{Source, page};
use crate::cli::account_changes::{line, record};
use crate::cli::answer::{CliError, ExitStatus, Format};
use crate::cli::client::Client;
use crate::config::Settings;
use crate::service::proto;

/// What was written so far.
struct Shown<'a> {
    format: Format,
    out: &'a mut dyn Write,
    count: u64,
    max: u64,
}

impl Shown<'_> {
    /// Writes an entry; true when it was the last that is wanted.
    fn write(&mut self, change: &proto::ChangeRecord) -> Result<bool, CliError> {
        match self.format {
            Format::Json => writeln!(self.out, "{}", record(change))?,
            Format::Table => writeln!(self.out, "{}", line(change))?,
        }
        self.out.flush()?;
        self.count = self.count.saturating_add(1);
        Ok(self.count == self.max)
    }
}

/// Which entries are shown.
pub(super) struct What<'a> {
    pub(super) source: &'a Source,
    /// How many of the newest.
    pub(super) lines: u64,
    /// Whether new ones are shown as they come.
    pub(super) follow: bool,
    /// How many at most; 0: any number.
    pub(super) count: u64,
}

impl What<'_> {
    /// Prints entries until there are no more, or enough have come.
    ///
    /// # Errors
    /// What the server refuses; an output that cannot be written.
    pub(super) async fn run(
        &self,
        settings: &Settings,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<ExitStatus, CliError> {
        let mut client = Client::connect(settings).await?;
        let owner_uin = self.source.owner_uin(&mut client).await?;
        let mut shown = Shown { format, out, count: 0, max: self.count };
        let last = page(&mut client, owner_uin, u64::MAX).await?.last_sequence;
        let mut after = last.saturating_sub(self.lines);
        if self.follow {
            let request = proto::FollowChangesRequest { owner_uin, after_sequence: after };
            let mut entries = client.audit.follow_changes(request).await?.into_inner();
            while let Some(entry) = entries.message().await? {
                let Some(change) = entry.record else { continue };
                if shown.write(&change)? {
                    return Ok(ExitStatus::Fine);
                }
            }
            return Err(CliError::CannotTell("the server ended the stream".to_owned()));
        }
        while after < last {
            let found = page(&mut client, owner_uin, after.saturating_add(1)).await?;
            for change in found.records.iter().filter(|it| it.sequence <= last) {
                if shown.write(change)? {
                    return Ok(ExitStatus::Fine);
                }
            }
            let Some(newest) = found.records.last() else { break };
            after = newest.sequence;
        }
        Ok(ExitStatus::Fine)
    }
}
