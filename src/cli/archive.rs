//! `export` and `import`: a whole store as one file, and back.
//!
//! `export` asks a running server, or opens a store itself; `import` fills an empty store, which
//! no server has open. Every file is read again before anything is said of it.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::answer::{Answer, CliError};
use super::client::Client;
use super::progress::Progress;
use super::stores;
use crate::config::Settings;
use crate::node::master_key_id;
use crate::service::proto;
use crate::store::archive::Origin;
use crate::store::archive::{self, ArchiveError, ArchiveReader, Contents, Export as Exporting};

/// Writes everything in the store to one file, as it is now
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  camgate export camgate.archive\n  \
    camgate export camgate.archive --store sled:camgate-data\n\n\
    Without `--store` it asks the server, which goes on serving. The file holds secrets, sealed \
    under\nthe master key: keep the key elsewhere.")]
pub struct Export {
    /// The file to write, which must not exist yet
    pub file: PathBuf,
    /// Opens this store itself: `sled:DIR`, which no server may have open, or `etcd:URL,URL`
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
}

/// Fills an empty store with what `export` wrote
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  camgate import camgate.archive --store etcd:http://10.0.0.1:2379\n  \
    camgate import camgate.archive --check\n\n\
    Interrupted, it is run again. Nodes start on the store when it has ended."
)]
pub struct Import {
    /// The archive
    pub file: PathBuf,
    /// The store to fill: `sled:DIR` or `etcd:URL,URL`
    #[arg(long, value_name = "STORE", required_unless_present = "check")]
    pub store: Option<String>,
    /// Only reads the archive, and tells whether it is whole and what it holds
    #[arg(long, conflicts_with = "store")]
    pub check: bool,
}

impl Export {
    /// Runs it; how far it is goes to `err`.
    ///
    /// # Errors
    /// When the file exists or cannot be written, or the store cannot be read.
    pub async fn run(&self, settings: &Settings, err: &mut dyn Write) -> Result<Answer, CliError> {
        if self.file.is_dir() {
            let text = format!(
                "`{}` is a folder, and the store is written to one file; an account as a folder is \
                 written by `camgate pull DIR`",
                self.file.display()
            );
            return Err(CliError::Usage(text));
        }
        let mut target = Target::create(&self.file)?;
        let written = match &self.store {
            Some(store) => of_store(store, settings, &mut target, err).await,
            None => of_server(settings, &mut target, err).await,
        };
        if let Err(error) = written {
            target.discard();
            return Err(error);
        }
        let partial = target.finish()?;
        let (origin, contents) = check(&partial)?;
        publish(&partial, &self.file)?;
        let text = format!(
            "wrote {contents}\nto `{}`, from {} at revision {}",
            self.file.display(),
            engine(&origin),
            origin.revision
        );
        Ok(Answer::new(told(&origin, contents), text))
    }
}

async fn of_store(
    store: &str,
    settings: &Settings,
    sink: &mut dyn Sink,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    let store = stores::open_existing(store, settings).await.map_err(|error| match error {
        CliError::CannotTell(text) => CliError::CannotTell(format!(
            "{text}; a server that has it open exports it without `--store`"
        )),
        other @ (CliError::Usage(_) | CliError::Refused(_) | CliError::Output(_)) => other,
    })?;
    let mut export = Exporting::begin(&*store).await.map_err(cannot)?;
    let mut progress = Progress::new("exported");
    while let Some(piece) = export.next().await.map_err(cannot)? {
        sink.write(&piece)?;
        progress.tell(err, export.entries(), "entries")?;
    }
    Ok(())
}

async fn of_server(
    settings: &Settings,
    sink: &mut dyn Sink,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    let mut client = Client::connect(settings).await?;
    let mut pieces = client.store.export(proto::ExportRequest {}).await?.into_inner();
    let (mut progress, mut bytes) = (Progress::new("received"), 0_u64);
    while let Some(proto::ExportResponse { piece }) = pieces.message().await? {
        sink.write(&piece)?;
        bytes = bytes.saturating_add(piece.len() as u64);
        progress.tell(err, bytes, "bytes")?;
    }
    Ok(())
}

impl Import {
    /// Runs it; how far it is goes to `err`.
    ///
    /// # Errors
    /// When the archive is not whole, or the store is not empty or cannot be written.
    pub async fn run(&self, settings: &Settings, err: &mut dyn Write) -> Result<Answer, CliError> {
        let (origin, contents) = check(&self.file)?;
        let Some(store_text) = &self.store else {
            let text = format!(
                "the archive is whole: {contents}\nfrom {} at revision {}",
                engine(&origin),
                origin.revision
            );
            return Ok(Answer::new(told(&origin, contents), text));
        };
        let store = stores::open_named(store_text, settings).await?;
        let mut progress = Progress::new("imported");
        let mut failed = Ok(());
        let mut tell = |entries| {
            if failed.is_ok() {
                failed = progress.tell(err, entries, "entries");
            }
        };
        let mut archive = open(&self.file)?;
        archive::import(&*store, &mut archive, contents, &mut tell).await.map_err(cannot)?;
        failed?;
        let key =
            master_key_id(&*store).await.map_err(|it| CliError::CannotTell(it.to_string()))?;
        let mut text = format!("brought {contents}\ninto {store_text}, which holds the same");
        if let Some(key) = &key {
            text.push_str(&format!("\nits secrets are sealed under the master key `{key}`"));
        }
        let mut json = told(&origin, contents);
        if let Some(object) = json.as_object_mut() {
            object.insert("master_key_id".to_owned(), json!(key));
        }
        Ok(Answer::new(json, text))
    }
}

fn engine(origin: &Origin) -> String {
    let Origin { engine, store_id, program_version, revision: _ } = origin;
    match store_id.as_str() {
        "" => format!("a {engine} store (camgate {program_version})"),
        id => format!("the {engine} store `{id}` (camgate {program_version})"),
    }
}

fn told(origin: &Origin, contents: Contents) -> serde_json::Value {
    let Origin { engine, store_id, program_version, revision } = origin;
    json!({
        "entries": contents.entries,
        "bytes": contents.bytes,
        "digest": contents.digest_text(),
        "from": {
            "engine": engine, "store_id": store_id, "revision": revision,
            "program_version": program_version,
        },
    })
}

fn cannot(error: ArchiveError) -> CliError {
    match error {
        ArchiveError::NotEmpty { .. }
        | ArchiveError::NodesRun { .. }
        | ArchiveError::OtherImport { .. } => CliError::Usage(error.to_string()),
        ArchiveError::Store(_)
        | ArchiveError::Input(_)
        | ArchiveError::NotAnArchive
        | ArchiveError::UnknownFormat { .. }
        | ArchiveError::Damaged { .. }
        | ArchiveError::Incomplete { .. }
        | ArchiveError::Newer(_)
        | ArchiveError::Unfinished
        | ArchiveError::Differs { .. } => CliError::CannotTell(error.to_string()),
    }
}

fn open(path: &Path) -> Result<ArchiveReader<BufReader<File>>, CliError> {
    let file = File::open(path).map_err(|error| {
        CliError::CannotTell(format!("cannot read `{}`: {error}", path.display()))
    })?;
    ArchiveReader::open(BufReader::new(file)).map_err(|error| of_file(path, error))
}

fn of_file(path: &Path, error: ArchiveError) -> CliError {
    CliError::CannotTell(format!("`{}`: {error}", path.display()))
}

/// Reads a whole archive.
fn check(path: &Path) -> Result<(Origin, Contents), CliError> {
    let mut archive = open(path)?;
    let contents = archive::verify(&mut archive).map_err(|error| of_file(path, error))?;
    Ok((archive.origin().clone(), contents))
}

/// The backup of a store that no server has open, or of the server, in memory.
///
/// # Errors
/// When the store cannot be read, or the server refuses.
pub(super) async fn in_memory(
    store: Option<&str>,
    settings: &Settings,
    err: &mut dyn Write,
) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    match store {
        Some(store) => of_store(store, settings, &mut bytes, err).await?,
        None => of_server(settings, &mut bytes, err).await?,
    }
    Ok(bytes)
}

/// Where a backup goes, piece by piece.
trait Sink {
    fn write(&mut self, piece: &[u8]) -> Result<(), CliError>;
}

impl Sink for Vec<u8> {
    fn write(&mut self, piece: &[u8]) -> Result<(), CliError> {
        self.extend_from_slice(piece);
        Ok(())
    }
}

/// The file that is being written, under another name until it is whole.
struct Target {
    path: PathBuf,
    file: File,
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::CannotTell(format!("cannot write `{}`: {error}", path.display()))
}

fn exists(path: &Path) -> CliError {
    CliError::Usage(format!("`{}` exists already: name another file", path.display()))
}

impl Target {
    fn create(file: &Path) -> Result<Self, CliError> {
        if file.exists() {
            return Err(exists(file));
        }
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // Sealed secrets and hashes of passwords are nobody else's.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { path, file })
    }

    fn finish(self) -> Result<PathBuf, CliError> {
        self.file.sync_all().map_err(|error| cannot_write(&self.path, &error))?;
        Ok(self.path)
    }

    fn discard(self) {
        // What cannot be removed is overwritten the next time.
        let _ = fs::remove_file(self.path);
    }
}

impl Sink for Target {
    fn write(&mut self, piece: &[u8]) -> Result<(), CliError> {
        self.file.write_all(piece).map_err(|error| cannot_write(&self.path, &error))
    }
}

/// Gives a whole file its name, unless another has it meanwhile.
fn publish(partial: &Path, path: &Path) -> Result<(), CliError> {
    fs::hard_link(partial, path).map_err(|error| {
        let is_taken = error.kind() == std::io::ErrorKind::AlreadyExists;
        if is_taken { exists(path) } else { cannot_write(path, &error) }
    })?;
    fs::remove_file(partial).map_err(|error| cannot_write(partial, &error))
}
