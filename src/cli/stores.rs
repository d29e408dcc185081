//! Opening the store that a setting names.

use std::sync::Arc;

use super::answer::CliError;
use crate::config::{EtcdSettings, Settings, StoreChoice, parse_store};
use crate::store::{MemoryStore, SledStore, Store};

/// Opens a store; an etcd cluster as `[etcd]` says.
///
/// # Errors
/// When it cannot be opened, or this program was built without its engine.
pub(super) async fn open(
    choice: &StoreChoice,
    etcd: &EtcdSettings,
) -> Result<Arc<dyn Store>, CliError> {
    Ok(match choice {
        StoreChoice::Memory => Arc::new(MemoryStore::new()),
        StoreChoice::Sled(directory) => {
            let store = SledStore::open(directory).await;
            Arc::new(store.map_err(|error| CliError::CannotTell(error.to_string()))?)
        }
        StoreChoice::Etcd(members) => open_etcd(members, etcd).await?,
    })
}

/// Opens the store of a flag, which may be new.
///
/// # Errors
/// As [`open`], and when the text names none that keeps anything.
pub(super) async fn open_named(
    text: &str,
    settings: &Settings,
) -> Result<Arc<dyn Store>, CliError> {
    open(&durable(text)?, &settings.etcd).await
}

/// Opens the store of a flag, which must be there.
///
/// # Errors
/// As [`open_named`].
pub(super) async fn open_existing(
    text: &str,
    settings: &Settings,
) -> Result<Arc<dyn Store>, CliError> {
    let choice = durable(text)?;
    match &choice {
        StoreChoice::Sled(directory) if !directory.is_dir() => {
            let directory = directory.display();
            return Err(CliError::Usage(format!("there is no store in `{directory}`")));
        }
        StoreChoice::Sled(_) | StoreChoice::Etcd(_) | StoreChoice::Memory => {}
    }
    open(&choice, &settings.etcd).await
}

fn durable(text: &str) -> Result<StoreChoice, CliError> {
    match parse_store(text).map_err(|error| CliError::Usage(error.to_string()))? {
        StoreChoice::Memory => Err(CliError::Usage(
            "`memory` keeps nothing: name a store with `sled:DIR` or `etcd:URL,URL`".into(),
        )),
        choice @ (StoreChoice::Sled(_) | StoreChoice::Etcd(_)) => Ok(choice),
    }
}

#[cfg(feature = "etcd")]
async fn open_etcd(members: &[String], etcd: &EtcdSettings) -> Result<Arc<dyn Store>, CliError> {
    use crate::store::{EtcdCredentials, EtcdOptions, EtcdStore, EtcdTls};

    let read = |path: &std::path::Path| {
        std::fs::read(path)
            .map_err(|error| CliError::Usage(format!("cannot read `{}`: {error}", path.display())))
    };
    let EtcdSettings { prefix, user, ca_file, identity_files, staleness_max_ms: _ } = etcd;
    let credentials = user.as_ref().map(|(user, password)| EtcdCredentials {
        user: user.clone(),
        password: password.expose().to_owned(),
    });
    let ca = ca_file.as_deref().map(read).transpose()?;
    let identity = match identity_files {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    let is_secure = members.iter().any(|member| member.starts_with("https://"));
    if !is_secure && (ca.is_some() || identity.is_some()) {
        return Err(CliError::Usage(
            "`[etcd]` has certificates, and no member is reached by `https://`".into(),
        ));
    }
    let tls = is_secure.then_some(EtcdTls { ca, identity });
    let (members, prefix) = (members.to_vec(), prefix.clone());
    let store = EtcdStore::open(EtcdOptions { members, prefix, credentials, tls }).await;
    Ok(Arc::new(store.map_err(|error| CliError::CannotTell(error.to_string()))?))
}

#[cfg(not(feature = "etcd"))]
async fn open_etcd(members: &[String], etcd: &EtcdSettings) -> Result<Arc<dyn Store>, CliError> {
    let _nobody_reads_them = (members, etcd);
    Err(CliError::Usage(
        "this program was built without etcd: build it with `--features etcd`, which needs `protoc`"
            .into(),
    ))
}
