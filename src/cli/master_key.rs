//! `master-key`: makes the key that a store's secrets are sealed under, and replaces it.
//!
//! Offline: it opens the store itself, so no server may hold it. Nothing here prints a key.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, CliError};
use super::stores;
use crate::authn::vault::master_key::MasterKey;
use crate::config::{Settings, StoreChoice};
use crate::node::{Rotated, master_key_id, rotate_master_key};
use crate::store::Store;

/// The trial mode's key, beside its store.
const DEV_KEY_FILE: &str = "master.key";

/// The commands about the master key.
#[derive(Debug, Subcommand)]
pub enum MasterKeyCommand {
    /// Makes a new key in a file that only its owner may read
    #[command(after_help = "Example:\n  camgate master-key new master.key")]
    New {
        /// The file, which must not exist yet
        file: PathBuf,
    },
    /// Seals a store's secrets under another key; the server must be stopped
    #[command(after_help = "Example:\n  camgate master-key rotate --store sled:camgate-data \
        --master-key-file master.key --new-master-key-file new.key")]
    Rotate {
        /// The store: `sled:DIR` or `etcd:URL,URL`
        #[arg(long, value_name = "STORE")]
        store: String,
        /// The file with the key that the store has now
        #[arg(long, value_name = "FILE")]
        master_key_file: PathBuf,
        /// The file with the key that it gets
        #[arg(long, value_name = "FILE")]
        new_master_key_file: PathBuf,
    },
}

impl MasterKeyCommand {
    /// Runs it.
    ///
    /// # Errors
    /// When a file or the store cannot be used, or the store has another key.
    pub async fn run(self, settings: &Settings) -> Result<Answer, CliError> {
        match self {
            Self::New { file } => {
                let key = MasterKey::generate().map_err(cannot)?;
                key.create_file(&file).map_err(cannot)?;
                let text = format!(
                    "made the master key `{}` in {}; keep a copy: without it no secret of the \
                     store can be opened",
                    key.id(),
                    file.display()
                );
                Ok(Answer::new(json!({ "master_key_id": key.id() }), text))
            }
            Self::Rotate { store, master_key_file, new_master_key_file } => {
                rotate(settings, &store, &master_key_file, &new_master_key_file).await
            }
        }
    }
}

async fn rotate(
    settings: &Settings,
    store: &str,
    old: &Path,
    new: &Path,
) -> Result<Answer, CliError> {
    let (old, new) = (read(old)?, read(new)?);
    let store = stores::open_existing(store, settings).await?;
    let done = rotate_master_key(&*store, &old, &new).await.map_err(cannot)?;
    let id = new.id();
    let text = match done {
        Rotated::Done => format!("the store's secrets are sealed under the master key `{id}` now"),
        Rotated::Already => format!("the store has the master key `{id}` already"),
    };
    let is_changed = matches!(done, Rotated::Done);
    Ok(Answer::new(json!({ "master_key_id": id, "changed": is_changed }), text))
}

/// The master key of a server: of the file, of the environment, or, for a trial, of a file beside
/// the store that is made when the store has no secrets yet.
pub(super) async fn of_server(
    settings: &Settings,
    store: &dyn Store,
) -> Result<Option<MasterKey>, CliError> {
    let line = settings.secrets.master_key.as_ref();
    match (&settings.master_key_file, line) {
        (Some(_), Some(_)) => Err(CliError::Usage(
            "the master key is given twice: by file and by CAMGATE_MASTER_KEY; give one".into(),
        )),
        (Some(file), None) => read(file).map(Some),
        (None, Some(line)) => MasterKey::parse(line.expose()).map(Some).map_err(|error| {
            CliError::Usage(format!("CAMGATE_MASTER_KEY cannot be used: {error}"))
        }),
        (None, None) if settings.dev => of_trial(&settings.store, store).await.map(Some),
        (None, None) => Ok(None),
    }
}

async fn of_trial(choice: &StoreChoice, store: &dyn Store) -> Result<MasterKey, CliError> {
    let directory = match choice {
        StoreChoice::Sled(directory) => directory,
        // What is gone when the server ends needs no key that stays.
        StoreChoice::Memory => return MasterKey::generate().map_err(cannot),
        StoreChoice::Etcd(_) => {
            return Err(CliError::Usage(
                "`--dev` on etcd needs a master key that all nodes have: make one with `camgate \
                 master-key new FILE`, and give `--master-key-file FILE`"
                    .into(),
            ));
        }
    };
    let file = directory.join(DEV_KEY_FILE);
    if file.exists() {
        return read(&file);
    }
    // A new key would open nothing, and would hide that the right one is missing.
    if let Some(id) = master_key_id(store).await.map_err(cannot)? {
        let file = file.display();
        return Err(CliError::Usage(format!(
            "the store's secrets are sealed under the master key `{id}`, and its file `{file}` is \
             missing: put it back, or name it with `--master-key-file`"
        )));
    }
    let key = MasterKey::generate().map_err(cannot)?;
    key.create_file(&file).map_err(cannot)?;
    Ok(key)
}

fn read(file: &Path) -> Result<MasterKey, CliError> {
    MasterKey::read_file(file).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
        let text = format!("{error}{}", cause.unwrap_or_default());
        let name = format!("`{}`", file.display());
        let is_named = text.contains(&name);
        CliError::Usage(if is_named { text } else { format!("in {name}: {text}") })
    })
}

fn cannot(error: impl std::error::Error) -> CliError {
    let cause = error.source().map(|it| format!(": {it}"));
    CliError::CannotTell(format!("{error}{}", cause.unwrap_or_default()))
}
