//! `serve`: opens the store, starts the node, listens, and ends in order.
//!
//! Composition only. Settings are checked by `config`; what they name is tried here, and whatever
//! cannot be used ends the start before anything is served. Exit status 2 says that the settings,
//! or a file that they name, must be changed; 3 that something else is in the way, so that another
//! try may help. `docs/cli.md` has the table.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use figment::value::Value;
use tracing_subscriber::EnvFilter;

use super::answer::{CliError, ExitStatus};
use super::client::Client;
use super::exports::Exports;
use super::files::load_catalog;
use super::master_key;
use super::signals::Told;
use super::stores;
use crate::authn::secret::SecretKey;
use crate::authn::vault::keyring::KeyringError;
use crate::config::{Flag, LogFormat, Secrets, Settings};
use crate::directory::SecretId;
use crate::node::{NewKey, Node, NodeError, NodeSettings, PolicyFiles, SystemClock};
use crate::service::transport::Tls;
use crate::service::{GrpcServer, GrpcSettings, HttpServer, HttpSettings, ServeError, proto};
use crate::store::policy_files;

/// The trial account's uin, its APPID and its apps.
const DEV_OWNER: u64 = 12_345_678;
const DEV_APP_ID: u64 = 1_250_000_001;
const DEV_APPS: [(u64, &str); 3] =
    [(1_400_000_000, "sandbox"), (1_400_000_001, "support"), (1_400_000_002, "community")];

/// Runs the server
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  camgate serve --dev\n  \
    camgate serve --store sled:/var/lib/camgate --policies 'operator-policies/**/*.json'\n\n\
    Every flag is also a key of the TOML file given by `--config`, and an environment variable:\n\
    `CAMGATE_` and the key in capitals, e.g. `CAMGATE_GRPC`. Lists are parted by commas there.")]
pub struct Serve {
    /// Where to listen for gRPC [default: 127.0.0.1:7401]; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub grpc: Option<String>,
    /// Where to listen for HTTP, the CAM API [default: 127.0.0.1:7400]; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// Where records are kept: `sled:DIR`, `etcd:URL,URL` or `memory` [default: sled:camgate-data]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// How much memory loaded accounts may take [default: 1GiB]; the least recently used make room
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<String>,
    /// A path pattern of preset policies of your own; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub policies: Vec<String>,
    /// A catalog file of a service of your own; may be given several times
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// The file with the master key that secrets are sealed under; mode 0600
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Listens where other machines can reach it although callers are not authenticated
    #[arg(long)]
    pub insecure: bool,
    /// Trial mode: an empty store gets an account with three apps and a key of its root
    #[arg(long)]
    pub dev: bool,
}

impl Serve {
    /// The settings given as flags.
    #[must_use]
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags: Vec<Flag> = Vec::new();
        flags.extend(self.grpc.clone().map(|grpc| ("grpc", Value::from(grpc))));
        flags.extend(self.http.clone().map(|http| ("http", Value::from(http))));
        flags.extend(self.store.clone().map(|store| ("store", Value::from(store))));
        let budget = self.memory_budget.clone();
        flags.extend(budget.map(|budget| ("memory_budget", Value::from(budget))));
        if !self.policies.is_empty() {
            flags.push(("policies", Value::from(self.policies.clone())));
        }
        if !self.catalog.is_empty() {
            let paths: Vec<_> = self.catalog.iter().map(|it| it.display().to_string()).collect();
            flags.push(("catalog", Value::from(paths)));
        }
        if let Some(file) = &self.master_key_file {
            flags.push(("master_key_file", Value::from(file.display().to_string())));
        }
        if self.insecure {
            flags.push(("insecure", Value::from(true)));
        }
        if self.dev {
            flags.push(("dev", Value::from(true)));
        }
        flags
    }
}

/// Runs the server until it is told to end; what it says goes to `err`.
///
/// # Errors
/// When the store, a file or the address cannot be used.
pub fn serve(settings: &Settings, err: &mut dyn Write) -> Result<ExitStatus, CliError> {
    start_logging(settings)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::CannotTell(format!("cannot start: {error}")))?
        .block_on(run(settings, err))
}

fn start_logging(settings: &Settings) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(&settings.log_filter)
        .map_err(|error| CliError::Usage(format!("`log.filter`: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| CliError::CannotTell(format!("cannot start logging: {error}")))
}

async fn run(settings: &Settings, err: &mut dyn Write) -> Result<ExitStatus, CliError> {
    // First of all: as the first process of a container it would not end without them.
    let told = Told::receive()
        .map_err(|error| CliError::CannotTell(format!("signals cannot be received: {error}")))?;
    let Started { node, grpc, http, tls, exports } = tokio::select! {
        started = start(settings) => started?,
        () = told.times(1) => {
            writeln!(err, "told to end before it was ready")?;
            return Ok(ExitStatus::Fine);
        }
    };
    let addresses = Addresses { grpc: grpc.address(), http: http.address() };
    // One after the other would never announce: serving ends with the program.
    let serving = async {
        let served = grpc.serve_until(http, told.times(1), settings.drain, told.times(2)).await;
        served.map_err(|error| CliError::CannotTell(error.to_string()))
    };
    if let Some(tls) = tls {
        let node = Arc::clone(&node);
        tokio::spawn(async move { tls.follow(|problem| node.report_certificates(problem)).await });
    }
    let ended = tokio::try_join!(serving, announce(settings, &node, addresses, err));
    exports.shut().await;
    ended.map(|_| ExitStatus::Fine)
}

/// What is there before anything is served.
struct Started {
    node: Arc<Node>,
    grpc: GrpcServer,
    http: HttpServer,
    tls: Option<Arc<Tls>>,
    exports: Exports,
}

async fn start(settings: &Settings) -> Result<Started, CliError> {
    // What the settings name first, as it is what whoever sets up a server gets wrong.
    let catalog = load_catalog(&settings.catalogs).map_err(of_settings)?;
    let tls = settings.tls.clone().map(Tls::load).transpose();
    let tls = tls.map_err(|error| CliError::Usage(error.to_string()))?;
    let files = policy_files(&settings.policies)?;
    let mut exports = Exports::start(settings)?;
    let sampling = exports.sampling;
    let store = stores::open(&settings.store, &settings.etcd).await?;
    let node_settings = NodeSettings {
        quotas: settings.quotas.clone(),
        master_key: master_key::of_server(settings, &*store).await?,
        refuse_replays: settings.refuse_replays,
        memory_budget_bytes: settings.memory_budget_bytes,
        console_session_ms: settings.console_session_ms,
        staleness_max_ms: settings.etcd.staleness_max_ms,
        callers_required: settings.callers_required,
        decision_log: settings.decision_log.clone(),
        referee: settings.referee,
        slow_ms: settings.slow_ms,
        ..NodeSettings::default()
    };
    let node = Node::start(store, Arc::new(catalog), Arc::new(SystemClock), files, node_settings)
        .await
        .map_err(|error| not_started(&error))?;
    exports.of(&node, settings)?;
    tracing::info!("settings: {}", settings.summary());
    let surfaces = HttpSettings {
        api: settings.api,
        gate: settings.gate.clone(),
        console: settings.console,
        authzen: settings.authzen.clone(),
        tls: tls.clone(),
        limits: settings.limits,
        sampling,
    };
    let http = HttpServer::bind(Arc::clone(&node), settings.http, surfaces).await;
    let http = http.map_err(|error| not_bound("http", &error))?;
    let (gate, limits) = (settings.gate.clone(), settings.limits);
    let surfaces = GrpcSettings { gate, tls: tls.clone(), limits, sampling };
    let grpc = GrpcServer::bind(Arc::clone(&node), settings.grpc, surfaces).await;
    let grpc = grpc.map_err(|error| not_bound("grpc", &error))?;
    Ok(Started { node, grpc, http, tls, exports })
}

/// A file that the settings name and that cannot be used: the settings are wrong.
fn of_settings(error: CliError) -> CliError {
    match error {
        CliError::CannotTell(text) => CliError::Usage(text),
        other @ (CliError::Usage(_) | CliError::Refused(_) | CliError::Output(_)) => other,
    }
}

/// The operator's preset policies. Their contents are followed as they change, and so judged by the
/// node; a path that finds nothing is most likely misspelt.
fn policy_files(patterns: &[String]) -> Result<Option<PolicyFiles>, CliError> {
    for pattern in patterns {
        let found = policy_files::find_paths(std::slice::from_ref(pattern))
            .map_err(|error| CliError::Usage(format!("`policies`: {error}")))?;
        if found.is_empty() && !pattern.contains(['*', '?', '[']) {
            return Err(CliError::Usage(format!(
                "`policies` names `{pattern}`, and there is no such file: write its path as from \
                 the folder in which the server starts"
            )));
        }
        if found.is_empty() {
            tracing::warn!(%pattern, "no file is found by this path pattern of `policies`");
        }
    }
    Ok((!patterns.is_empty()).then(|| PolicyFiles { patterns: patterns.to_vec() }))
}

/// The master key is a setting; everything else that the node meets is not.
fn not_started(error: &NodeError) -> CliError {
    let is_of_settings = matches!(
        error,
        NodeError::MasterKeyWanted | NodeError::Keyring(KeyringError::OtherMasterKey { .. })
    );
    if is_of_settings {
        return CliError::Usage(error.to_string());
    }
    CliError::CannotTell(format!("the node cannot start: {error}"))
}

fn not_bound(key: &str, error: &ServeError) -> CliError {
    let ServeError::Listen { source, .. } = error else {
        return CliError::CannotTell(error.to_string());
    };
    let kind = source.kind();
    let advice = if kind == ErrorKind::AddrInUse {
        "another program listens there: end it, or set another"
    } else if kind == ErrorKind::AddrNotAvailable {
        "this machine has no such address: set one that it has, as"
    } else if kind == ErrorKind::PermissionDenied {
        "ports below 1024 want a right of their own: set another"
    } else {
        "set another"
    };
    CliError::CannotTell(format!("{error}; {advice} `{key}`"))
}

/// Where the server listens.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
}

/// Says where the server is and what it is like, and prepares a trial.
async fn announce(
    settings: &Settings,
    node: &Node,
    addresses: Addresses,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    let Addresses { grpc, http } = addresses;
    writeln!(err, "camgate listens on {grpc} (gRPC), store {}", settings.store)?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    writeln!(err, "the CAM API is served on {scheme}://{http}, to callers that sign")?;
    if settings.callers_required {
        let callers =
            "gRPC callers, proxies and AuthZEN's must be registered: see `camgate caller`";
        writeln!(err, "{callers}")?;
    } else {
        writeln!(
            err,
            "gRPC callers are not authenticated: whoever reaches {grpc} may ask and administer"
        )?;
    }
    if settings.dev {
        prepare_trial(settings, node, &grpc.to_string(), err).await?;
    }
    let readiness = node.readiness().borrow().clone();
    for report in &readiness.reports {
        writeln!(err, "mind: {report}")?;
    }
    for problem in &readiness.problems {
        writeln!(err, "takes no part yet, see `/readyz`: {problem}")?;
    }
    writeln!(err, "ready")?;
    Ok(err.flush()?)
}

/// Gives an empty store the trial account, by the same way as any client, and says what to try.
async fn prepare_trial(
    settings: &Settings,
    node: &Node,
    address: &str,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    let server = format!("http://{address}");
    let settings = Settings { server: server.clone(), account: DEV_OWNER, ..settings.clone() };
    let mut client = Client::connect(&settings).await?;
    let request = proto::ListAccountsRequest::default();
    let accounts = client.administration.list_accounts(request).await?.into_inner().accounts;
    if !accounts.is_empty() {
        return Ok(());
    }
    // Before the account: a key that cannot be used must not leave an account without one.
    let key = trial_key(&settings, node)?;
    let request =
        proto::CreateAccountRequest { owner_uin: DEV_OWNER, app_id: DEV_APP_ID, options: None };
    client.administration.create_account(request).await?;
    for (sdkappid, name) in DEV_APPS {
        let request = proto::CreateAppRequest {
            owner_uin: DEV_OWNER,
            sdkappid,
            name: name.to_owned(),
            ..Default::default()
        };
        client.administration.create_app(request).await?;
    }
    let added = node.add_key(DEV_OWNER, DEV_OWNER, &key, "trial").await;
    added.map_err(|error| CliError::CannotTell(error.to_string()))?;
    let flag =
        if settings.grpc.port() == 7401 { String::new() } else { format!(" --server {server}") };
    writeln!(
        err,
        "the store was empty: created root account {DEV_OWNER} (APPID {DEV_APP_ID}) with apps \
         1400000000, 1400000001, 1400000002\n\
         try, in another terminal (`camgate` is this program):\n  \
         camgate{flag} user create alice\n  \
         camgate{flag} policy attach QcloudIMReadOnlyAccess --user alice\n  \
         camgate{flag} check --principal alice --action im:DescribeConfInfo \
         --resource qcs::im::uin/{DEV_OWNER}:sdkappid/1400000001"
    )?;
    // Here and never again: the store keeps it sealed.
    writeln!(
        err,
        "the root account's key, shown this once:\n  SecretId  {}\n  SecretKey {}",
        key.secret_id,
        key.secret.expose()
    )?;
    Ok(())
}

/// The key that the trial account's root gets: the one of the environment, or a new one.
fn trial_key(settings: &Settings, node: &Node) -> Result<NewKey, CliError> {
    let cannot = |error: NodeError| CliError::CannotTell(error.to_string());
    let Secrets { dev_secret_id, dev_secret_key, .. } = &settings.secrets;
    match (dev_secret_id, dev_secret_key) {
        (None, None) => node.new_key(DEV_OWNER).map_err(cannot),
        (Some(id), Some(secret)) => {
            let id = SecretId::parse(id.expose()).ok_or_else(|| {
                CliError::Usage(
                    "CAMGATE_DEV_SECRET_ID must be `AKID` and 12 to 36 letters and digits".into(),
                )
            })?;
            let secret = SecretKey::parse(secret.expose()).ok_or_else(|| {
                CliError::Usage(
                    "CAMGATE_DEV_SECRET_KEY must have 16 to 128 ASCII characters, no blanks".into(),
                )
            })?;
            node.seal_key(DEV_OWNER, id, secret).map_err(cannot)
        }
        (Some(_), None) | (None, Some(_)) => Err(CliError::Usage(
            "set both CAMGATE_DEV_SECRET_ID and CAMGATE_DEV_SECRET_KEY, or neither".into(),
        )),
    }
}
