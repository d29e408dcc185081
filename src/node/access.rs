//! Who calls this node, and what that caller may.
//!
//! A caller is looked up anew for each request, and in long streams for each message, so one that
//! is revoked is refused at once, also on its open connections. Where callers are required, one who
//! is not known may do nothing; where they are not, everybody may do everything. It must never take
//! an unreadable record for a right: a caller whose record cannot be read is nobody.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch as watch_channel;
use tracing::error;

use super::error::NodeError;
use super::{Node, operator, records};
use crate::directory::service_caller::{CallerTable, Proof, Right, ServiceCaller};
use crate::store::Store;

/// Why a call is refused that says who calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Nobody knows the caller.
    #[error(
        "this server does not know who calls: show a certificate that is registered, or a token \
         that counts, as `authorization: Bearer cgt_…` (commands take it from CAMGATE_TOKEN); who \
         operates the server registers callers with `camgate caller create` and `caller token`"
    )]
    Unknown,
    /// The caller may not do that at all.
    #[error(
        "caller `{caller}` has no right to {}: who operates the server grants it with `camgate \
         caller update`", .right.as_str()
    )]
    Right {
        /// The caller.
        caller: String,
        /// What it would need.
        right: Right,
    },
    /// The caller may not do that in this account.
    #[error(
        "caller `{caller}` has no right to {} in account {owner_uin}: who operates the server \
         grants it with `camgate caller update`", .right.as_str()
    )]
    Account {
        /// The caller.
        caller: String,
        /// What it would need.
        right: Right,
        /// The account.
        owner_uin: u64,
    },
    /// The caller may not ask about this service.
    #[error(
        "caller `{caller}` has no right to ask about actions of `{service}`: who operates the \
         server grants it with `camgate caller update`"
    )]
    Service {
        /// The caller.
        caller: String,
        /// The service.
        service: String,
    },
}

/// What the one who calls may.
#[derive(Debug, Clone)]
pub enum Access {
    /// Callers are not looked at: everything.
    Open,
    /// What this caller may.
    Caller {
        /// What it showed.
        proof: Proof,
        /// Who it is.
        caller: Arc<ServiceCaller>,
    },
    /// Nothing.
    Nobody,
}

impl Access {
    fn caller(&self) -> Result<Option<&ServiceCaller>, AccessError> {
        match self {
            Self::Open => Ok(None),
            Self::Caller { caller, .. } => Ok(Some(caller)),
            Self::Nobody => Err(AccessError::Unknown),
        }
    }

    /// The caller's name; empty where callers are not looked at, and for nobody.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Caller { caller, .. } => &caller.name,
            Self::Open | Self::Nobody => "",
        }
    }

    /// That somebody is known, or need not be.
    ///
    /// # Errors
    /// [`AccessError::Unknown`].
    pub fn check_known(&self) -> Result<(), AccessError> {
        self.caller().map(|_| ())
    }

    /// That the right is granted for some account.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn check_any(&self, right: Right) -> Result<(), AccessError> {
        match self.caller()? {
            Some(caller) if !caller.rights.has_any(right) => {
                Err(AccessError::Right { caller: caller.name.clone(), right })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// That the right is granted for this account.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn check(&self, right: Right, owner_uin: u64) -> Result<(), AccessError> {
        self.check_any(right)?;
        match self.caller()? {
            Some(caller) if !caller.rights.has(right, owner_uin) => {
                let caller = caller.name.clone();
                Err(AccessError::Account { caller, right, owner_uin })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// That questions about actions of this service may be asked.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn check_service(&self, service: &str) -> Result<(), AccessError> {
        match self.caller()? {
            Some(caller) if !caller.rights.has_service(service) => {
                let (caller, service) = (caller.name.clone(), service.to_owned());
                Err(AccessError::Service { caller, service })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The callers of the store, as they are now.
#[derive(Debug)]
pub(super) struct Callers {
    is_required: bool,
    table: ArcSwap<CallerTable>,
    changed: watch_channel::Sender<u64>,
}

impl Callers {
    pub(super) fn new(is_required: bool, table: CallerTable) -> Self {
        let changed = watch_channel::Sender::new(0);
        Self { is_required, table: ArcSwap::from_pointee(table), changed }
    }

    /// Others count from now on.
    pub(super) fn replace(&self, table: CallerTable) {
        self.table.store(Arc::new(table));
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

/// All callers of the store; those whose record cannot be read are left out, and told. Nobody is
/// known when the callers are not those that were committed: who gained a right is not known.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn read_table(
    store: &dyn Store,
) -> Result<(CallerTable, Option<String>), NodeError> {
    let operator = match operator::read(store).await {
        Err(problem @ NodeError::Record { .. }) => {
            error!(%problem, "the service callers cannot be counted; nobody is known");
            return Ok((CallerTable::default(), Some(problem.to_string())));
        }
        read => read?,
    };
    if let Some(problem) = operator.problem {
        error!(%problem, "the service callers are not those that were committed; nobody is known");
        return Ok((CallerTable::default(), Some(problem.to_string())));
    }
    let (mut callers, mut problem) = (Vec::new(), None);
    for entry in &operator.callers {
        match records::decode_caller(entry) {
            Ok(caller) => callers.push(caller),
            Err(fault) => {
                error!(%fault, "a service caller cannot be read, and is nobody");
                problem = Some(fault.to_string());
            }
        }
    }
    Ok((CallerTable::new(callers), problem))
}

impl Node {
    /// What somebody may who shows this.
    #[must_use]
    pub fn access(&self, proof: Proof) -> Access {
        if !self.callers.is_required {
            return Access::Open;
        }
        let table = self.callers.table.load();
        match table.find(&proof, self.now().0) {
            Some(caller) => Access::Caller { caller: Arc::clone(caller), proof },
            None => {
                self.counters.caller_unknown();
                Access::Nobody
            }
        }
    }

    /// What the same caller may now, for what goes on for long.
    #[must_use]
    pub fn access_now(&self, access: &Access) -> Access {
        match access {
            Access::Open => Access::Open,
            Access::Nobody => Access::Nobody,
            Access::Caller { proof, .. } => self.access(proof.clone()),
        }
    }

    /// Whether callers must be known.
    #[must_use]
    pub fn requires_callers(&self) -> bool {
        self.callers.is_required
    }

    /// Told whenever callers or their rights change.
    #[must_use]
    pub fn callers_changed(&self) -> watch_channel::Receiver<u64> {
        self.callers.changed.subscribe()
    }

    /// Reads the callers anew. When that fails nobody is known.
    pub(super) async fn reload_callers(&self) {
        match read_table(&*self.store).await {
            Ok((table, problem)) => {
                self.callers.replace(table);
                self.health.set_record_problem("service callers", problem);
            }
            Err(problem) => {
                // Fail closed: who was revoked is not known.
                error!(%problem, "service callers cannot be read; nobody is known");
                self.callers.replace(CallerTable::default());
                self.health.set_record_problem("service callers", Some(problem.to_string()));
            }
        }
    }
}
