//! Decisions over an account folder, in this process: the same engine, without a server.
//!
//! Folder to state, state to snapshot, snapshot to decision; the answer is given as the API's
//! messages, so that it is shown like a server's. It must never write anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::answer::CliError;
use super::files::load_catalog;
use super::folder_io::read_folder;
use crate::analysis::PrincipalRef;
use crate::catalog::Catalog;
use crate::directory::folder::{Folder, FolderFault};
use crate::directory::{AccountState, Presets, snapshot_input};
use crate::engine::{
    AccountSnapshot, Explanation, Request, RequestParts, Resource, World, explain, summary,
};
use crate::node::NodeError;
use crate::service::proto;
use crate::service::wire::decision::{resource_trace, unnumbered_decision};
use crate::service::wire::request as wire;

/// An account folder, compiled.
#[derive(Debug)]
pub struct Offline {
    /// The folder as read.
    pub folder: Folder,
    /// The account that it describes.
    pub state: AccountState,
    /// The same, ready to decide.
    pub snapshot: AccountSnapshot,
}

impl Offline {
    /// Reads and compiles a folder.
    ///
    /// # Errors
    /// When it cannot be read, or says something that an account cannot be.
    pub fn open(directory: &Path, catalogs: &[PathBuf]) -> Result<Self, CliError> {
        let catalog = Arc::new(load_catalog(catalogs)?);
        let presets = Presets::built_in();
        let folder = Folder::parse(&read_folder(directory)?).map_err(|f| faults(directory, &f))?;
        let state = folder.state(&presets, &*catalog).map_err(|f| faults(directory, &f))?;
        let snapshot = compile(&state, &presets, catalog)?;
        Ok(Self { folder, state, snapshot })
    }

    /// The root account's uin.
    #[must_use]
    pub fn owner(&self) -> u64 {
        self.folder.owner.uin
    }

    /// A uin, from a uin, a sub-account's name, or `root`.
    ///
    /// # Errors
    /// When there is nobody of that name.
    pub fn uin(&self, text: &str) -> Result<u64, CliError> {
        let principal = match (text, text.parse()) {
            ("root", _) => PrincipalRef::Root,
            (_, Ok(uin)) => PrincipalRef::Uin(uin),
            (name, Err(_)) => PrincipalRef::Name(name.to_owned()),
        };
        self.named(&principal)
            .ok_or_else(|| CliError::Usage(format!("the account has no sub-account `{text}`")))
    }

    /// The uin of a principal that a case names.
    #[must_use]
    pub fn named(&self, principal: &PrincipalRef) -> Option<u64> {
        match principal {
            PrincipalRef::Root => Some(self.owner()),
            PrincipalRef::Uin(uin) => Some(*uin),
            PrincipalRef::Name(name) => self.state.sub_account_named(name).map(|user| user.uin),
        }
    }

    /// The decision.
    ///
    /// # Errors
    /// When the request is refused.
    pub fn check(&self, request: &proto::CheckRequest) -> Result<proto::CheckResponse, CliError> {
        let explanation = self.decide(request)?;
        let decision = unnumbered_decision(explanation.decision, self.owner());
        Ok(proto::CheckResponse { decision: Some(decision) })
    }

    /// The decision and what every statement said.
    ///
    /// # Errors
    /// When the request is refused.
    pub fn explain(
        &self,
        request: &proto::CheckRequest,
    ) -> Result<proto::ExplainResponse, CliError> {
        let explanation = self.decide(request)?;
        Ok(proto::ExplainResponse {
            traces: explanation.resources.iter().map(resource_trace).collect(),
            summary: summary(&explanation.decision, Some(&explanation)),
            decision: Some(unnumbered_decision(explanation.decision, self.owner())),
            missing_keys: explanation.missing_keys,
        })
    }

    fn decide(&self, request: &proto::CheckRequest) -> Result<Explanation, CliError> {
        let usage = |error: NodeError| CliError::Usage(error.to_string());
        let (principal, _) = wire::principal(request.principal.clone()).map_err(usage)?;
        let action = wire::action(&request.action).map_err(usage)?;
        let resource = wire::resource(&request.resource).map_err(usage)?;
        let context = wire::context(request.context.clone()).map_err(usage)?;
        let app = match &resource {
            Resource::Name(name) => name.sdkappid(),
            Resource::Star | Resource::Nothing => None,
        };
        // rule D-08: this account's registry is the only one at hand
        let registered_owner =
            app.filter(|app| self.folder.apps.contains_key(app)).map(|_| self.owner());
        let parts = RequestParts {
            principal,
            action,
            resource,
            context,
            now: Timestamp::now(),
            session: Vec::new(),
            registered_owner,
            granted_by_owner: false,
            accepts_filter: request.accepts_filter,
        };
        let request = Request::check(parts, self.snapshot.world().catalog())
            .map_err(|fault| CliError::Usage(fault.to_string()))?;
        Ok(explain(&self.snapshot, &request))
    }
}

fn compile(
    state: &AccountState,
    presets: &Presets,
    catalog: Arc<Catalog>,
) -> Result<AccountSnapshot, CliError> {
    let world = World::new(catalog, presets.general_input(), presets.shared_input());
    let input = snapshot_input(state, presets, 0)
        .ok_or_else(|| CliError::CannotTell("the folder describes no account".to_owned()))?;
    Ok(AccountSnapshot::build(input, &Arc::new(world), None))
}

/// All faults of a folder, one per line, with the findings of its policies underlined.
fn faults(directory: &Path, faults: &[FolderFault]) -> CliError {
    let mut lines = vec![format!("`{}` is no valid account folder", directory.display())];
    lines.extend(faults.iter().map(|fault| format!("  {fault}")));
    CliError::Usage(lines.join("\n"))
}
