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
use super::offline_wire;
use crate::analysis::PrincipalRef;
use crate::catalog::Catalog;
use crate::directory::folder::{Folder, FolderFault};
use crate::directory::{AccountState, Presets, snapshot_input};
use crate::engine::{
    AccountSnapshot, Explanation, Request, RequestParts, Resource, World, explain,
};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::service::proto;

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
        let decision = offline_wire::decision(&explanation.decision, self.owner());
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
            decision: Some(offline_wire::decision(&explanation.decision, self.owner())),
            traces: explanation.resources.iter().map(offline_wire::resource_trace).collect(),
            missing_keys: explanation.missing_keys,
            summary: Vec::new(),
        })
    }

    fn decide(&self, request: &proto::CheckRequest) -> Result<Explanation, CliError> {
        let usage = |error: String| CliError::Usage(error);
        let action =
            ActionName::parse(&request.action).map_err(|fault| usage(fault.to_string()))?;
        let resource =
            Resource::parse(&request.resource).map_err(|fault| usage(fault.to_string()))?;
        let mut context = Context::new();
        let mut keys: Vec<_> = request.context.iter().collect();
        keys.sort_by_key(|(key, _)| *key);
        for (key, values) in keys {
            let values = values.values.iter().filter_map(|value| match &value.value {
                Some(proto::context_value::Value::Text(text)) => {
                    Some(ContextValue::Text(text.clone()))
                }
                // INVARIANT (text only): the command line gives every value as text.
                Some(_) | None => None,
            });
            context.insert(key, values.collect()).map_err(|fault| usage(fault.to_string()))?;
        }
        let app = match &resource {
            Resource::Name(name) => name.sdkappid(),
            Resource::Star | Resource::Nothing => None,
        };
        // rule D-08: this account's registry is the only one at hand
        let registered_owner =
            app.filter(|app| self.folder.apps.contains_key(app)).map(|_| self.owner());
        let principal = match request.principal.as_ref().and_then(|who| who.id.as_ref()) {
            Some(proto::principal::Id::Uin(uin)) => *uin,
            Some(proto::principal::Id::SessionToken(_)) | None => 0,
        };
        let parts = RequestParts {
            principal,
            action,
            resource,
            context,
            now: Timestamp::now(),
            session: Vec::new(),
            registered_owner,
            accepts_filter: request.accepts_filter,
        };
        let request = Request::check(parts, self.snapshot.world().catalog())
            .map_err(|fault| usage(fault.to_string()))?;
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
