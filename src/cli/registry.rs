//! Where service callers are administered: through a server, or in a store that none has open.

use std::sync::Arc;

use super::answer::CliError;
use super::client::Client;
use super::stores;
use crate::audit::Origin;
use crate::config::Settings;
use crate::directory::UnixMillis;
use crate::node::{
    Clock as _, NodeError, SystemClock, Trace, create_caller, create_token, delete_caller,
    delete_token, list_callers, update_caller,
};
use crate::service::{proto, wire};
use crate::store::Store;

/// One of the two.
pub(super) enum Registry {
    Store(Arc<dyn Store>),
    Server(Box<Client>),
}

/// A refusal of a store that this program has open itself.
fn refused(error: NodeError) -> CliError {
    let is_asked_wrongly = matches!(&error, NodeError::Callers(_) | NodeError::BadField { .. });
    let text = error.to_string();
    if is_asked_wrongly { CliError::Usage(text) } else { CliError::CannotTell(text) }
}

/// What the change log says of a change that this program makes itself.
fn trace(call: &str) -> Trace {
    let origin = Origin { call: call.to_owned(), ..Origin::default() };
    Trace { origin, at: UnixMillis(SystemClock.now().as_millisecond()) }
}

impl Registry {
    /// The store of a flag, which may be new where `may_be_new`; else the server of the settings.
    ///
    /// # Errors
    /// When neither can be reached.
    pub(super) async fn open(
        store: Option<&str>,
        may_be_new: bool,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        Ok(match store {
            Some(store) if may_be_new => Self::Store(stores::open_named(store, settings).await?),
            Some(store) => Self::Store(stores::open_existing(store, settings).await?),
            None => Self::Server(Box::new(Client::connect(settings).await?)),
        })
    }

    pub(super) async fn create(&mut self, caller: proto::ServiceCaller) -> Result<(), CliError> {
        match self {
            Self::Store(store) => {
                let caller = wire::read_caller(Some(caller)).map_err(refused)?;
                create_caller(&**store, &trace("caller create"), &caller).await.map_err(refused)?;
            }
            Self::Server(client) => {
                let request = proto::CreateCallerRequest { caller: Some(caller) };
                client.callers.create_caller(request).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn update(&mut self, caller: proto::ServiceCaller) -> Result<(), CliError> {
        match self {
            Self::Store(store) => {
                let caller = wire::read_caller(Some(caller)).map_err(refused)?;
                update_caller(&**store, &trace("caller update"), &caller).await.map_err(refused)?;
            }
            Self::Server(client) => {
                let request = proto::UpdateCallerRequest { caller: Some(caller) };
                client.callers.update_caller(request).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn list(&mut self) -> Result<Vec<proto::ServiceCaller>, CliError> {
        Ok(match self {
            Self::Store(store) => {
                let callers = list_callers(&**store).await.map_err(refused)?;
                callers.iter().map(wire::caller).collect()
            }
            Self::Server(client) => {
                client
                    .callers
                    .list_callers(proto::ListCallersRequest {})
                    .await?
                    .into_inner()
                    .callers
            }
        })
    }

    pub(super) async fn delete(&mut self, name: &str) -> Result<(), CliError> {
        match self {
            Self::Store(store) => {
                delete_caller(&**store, &trace("caller delete"), name).await.map_err(refused)?;
            }
            Self::Server(client) => {
                let request = proto::DeleteCallerRequest { name: name.to_owned() };
                client.callers.delete_caller(request).await?;
            }
        }
        Ok(())
    }

    /// Makes a token that counts for so many milliseconds, or without an end: its id, and its text.
    pub(super) async fn create_token(
        &mut self,
        name: &str,
        note: &str,
        lasts_ms: Option<i64>,
    ) -> Result<(String, String), CliError> {
        let now_ms = SystemClock.now().as_millisecond();
        let end_ms = lasts_ms.map(|lasts| now_ms.saturating_add(lasts));
        Ok(match self {
            Self::Store(store) => {
                let made = create_token(&**store, &trace("caller token"), name, note, end_ms).await;
                let (made, _) = made.map_err(refused)?;
                (made.id.clone(), made.expose().to_owned())
            }
            Self::Server(client) => {
                let expires_at = end_ms
                    .map(|end| prost_types::Timestamp { seconds: end.div_euclid(1_000), nanos: 0 });
                let (name, note) = (name.to_owned(), note.to_owned());
                let request = proto::CreateCallerTokenRequest { name, note, expires_at };
                let made = client.callers.create_caller_token(request).await?.into_inner();
                (made.id, made.token.map(|it| it.text).unwrap_or_default())
            }
        })
    }

    pub(super) async fn delete_token(&mut self, name: &str, id: &str) -> Result<(), CliError> {
        match self {
            Self::Store(store) => {
                delete_token(&**store, &trace("caller revoke"), name, id).await.map_err(refused)?;
            }
            Self::Server(client) => {
                let (name, id) = (name.to_owned(), id.to_owned());
                let request = proto::DeleteCallerTokenRequest { name, id };
                client.callers.delete_caller_token(request).await?;
            }
        }
        Ok(())
    }
}
