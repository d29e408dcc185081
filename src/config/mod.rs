//! The settings of one run: defaults, then a TOML file, then the environment, then flags.
//!
//! The only file that reads the environment (`CAMGATE_` and the key's path in capitals, levels
//! joined by two underscores). An unknown key is refused wherever it stands, with the nearest known
//! one; every refusal says where the key was set. Secrets come from the environment only and are
//! kept apart, as [`Secrets`]; what is printed when the server starts has none of them.

mod api;
mod authzen;
mod collector;
mod console;
mod decision_log;
mod etcd;
mod gate;
mod limits;
mod log;
mod referee;
mod size;
mod sources;
mod tls;
mod tracing;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format as _, Serialized, Toml};
use figment::value::Value;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use self::tracing::RawTracing;
use crate::audit::decision_log::DecisionLogSettings;
use crate::directory::Quotas;
use crate::gate::GateSettings;
use crate::node::RefereeSettings;
use crate::service::transport::TlsSettings;
use crate::service::{ApiSettings, AuthzenSettings, ConsoleSettings, LimitSettings, TraceSettings};
use api::RawApi;
use authzen::RawAuthzen;
use console::RawConsole;
use decision_log::RawDecisionLog;
pub use etcd::EtcdSettings;
use etcd::RawEtcd;
use gate::RawGate;
use limits::RawLimits;
pub use log::LogFormat;
use log::RawLog;
use referee::RawReferee;
use sources::Sources;
pub use tls::ClientSettings;
use tls::{RawClient, RawTls};

/// Longest configuration file, in bytes: thousands of times the longest sensible one.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// Longest time to drain, in seconds; whoever supervises the server rarely waits longer.
const DRAIN_SECONDS_MAX: u64 = 3_600;
/// The variables that hold secrets; they are no settings, and stand in no file and no flag.
const MASTER_KEY: &str = "CAMGATE_MASTER_KEY";
const DEV_SECRET_ID: &str = "CAMGATE_DEV_SECRET_ID";
const DEV_SECRET_KEY: &str = "CAMGATE_DEV_SECRET_KEY";
const ETCD_PASSWORD: &str = "CAMGATE_ETCD_PASSWORD";
const TOKEN: &str = "CAMGATE_TOKEN";
/// The prefix of every environment variable of ours.
const PREFIX: &str = "CAMGATE_";

/// Where records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// Nowhere: gone when the server ends.
    Memory,
    /// A directory with an embedded sled store.
    Sled(PathBuf),
    /// An etcd cluster, by its members' URLs.
    Etcd(Vec<String>),
}

impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sled(directory) => write!(f, "sled:{}", directory.display()),
            Self::Etcd(members) => write!(f, "etcd:{}", members.join(",")),
        }
    }
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// What the environment says that nobody may read again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// The line of the master key, `CAMGATE_MASTER_KEY`.
    pub master_key: Option<Hidden>,
    /// The SecretId of the trial account's key, `CAMGATE_DEV_SECRET_ID`; only `--dev` reads it.
    pub dev_secret_id: Option<Hidden>,
    /// Its secret, `CAMGATE_DEV_SECRET_KEY`; only `--dev` reads it.
    pub dev_secret_key: Option<Hidden>,
    /// The password of `etcd.user`, `CAMGATE_ETCD_PASSWORD`.
    pub etcd_password: Option<Hidden>,
    /// The token that commands show to a server, `CAMGATE_TOKEN`.
    pub token: Option<Hidden>,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server listens for gRPC; a loopback address, unless callers are authenticated or
    /// `insecure` says that they need not be.
    pub grpc: SocketAddr,
    /// Where the server listens for HTTP; as for gRPC.
    pub http: SocketAddr,
    /// Certificates of both ports: the keys of `[tls]`.
    pub tls: Option<TlsSettings>,
    /// Whether callers of gRPC, of the gate and of AuthZEN must be known: `[callers] required`.
    pub callers_required: bool,
    /// Whether other machines may reach the ports without TLS and without authentication.
    pub insecure: bool,
    /// How commands reach a server by TLS: the keys of `[client]`.
    pub client: ClientSettings,
    /// How the CAM API behaves: the keys of `[api]`.
    pub api: ApiSettings,
    /// How AuthZEN's words map onto CAM's: `[authzen]`.
    pub authzen: AuthzenSettings,
    /// How console sessions travel: `[console]`.
    pub console: ConsoleSettings,
    /// How long they last, in milliseconds: `[console] session_seconds`.
    pub console_session_ms: i64,
    /// How the gate reads requests: the keys of `[gate]`.
    pub gate: GateSettings,
    /// Where decisions are logged: the keys of `[decision_log]`.
    pub decision_log: Option<DecisionLogSettings>,
    /// What the server takes on at a time: the keys of `[limits]`.
    pub limits: LimitSettings,
    /// Which decisions are made a second time: the keys of `[referee]`.
    pub referee: RefereeSettings,
    /// Where records are kept.
    pub store: StoreChoice,
    /// How an etcd cluster is reached: the keys of `[etcd]`.
    pub etcd: EtcdSettings,
    /// Path patterns of the operator's own preset policies.
    pub policies: Vec<String>,
    /// Catalog files of the operator's own services.
    pub catalogs: Vec<PathBuf>,
    /// The trial mode.
    pub dev: bool,
    /// The server that client commands talk to, e.g. `http://127.0.0.1:7401`.
    pub server: String,
    /// The account that client commands are about; 0 when it is the server's only one.
    pub account: u64,
    /// Which log lines are written, in the notation of `tracing-subscriber`'s `EnvFilter`.
    pub log_filter: String,
    /// How they look.
    pub log_format: LogFormat,
    /// Where traces go: the keys of `[tracing]`.
    pub tracing: Option<TraceSettings>,
    /// From when on a call is told to the log as slow, in milliseconds; never for 0.
    pub slow_ms: u64,
    /// How many of everything an account may have: the keys of `[quotas]`, over the defaults.
    pub quotas: Quotas,
    /// The file with the master key, which the store's secrets are sealed under.
    pub master_key_file: Option<PathBuf>,
    /// Whether a signed request counts once only: `[api] refuse_replays`.
    pub refuse_replays: bool,
    /// About how many bytes loaded accounts may take.
    pub memory_budget_bytes: usize,
    /// Longest time that requests under way are waited for at the end: `drain_seconds`.
    pub drain: Duration,
    /// What only the environment says.
    pub secrets: Secrets,
}

/// Settings that cannot be used; the text says where, which, why, and what to do. Keys stand in
/// backticks, those at fault before any advice: see `sources`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(String);

/// One setting given as a flag: its key, and its value.
pub type Flag = (&'static str, Value);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    grpc: String,
    http: String,
    tls: RawTls,
    callers: RawCallers,
    insecure: bool,
    client: RawClient,
    api: RawApi,
    authzen: RawAuthzen,
    console: RawConsole,
    gate: RawGate,
    decision_log: RawDecisionLog,
    limits: RawLimits,
    referee: RawReferee,
    store: String,
    etcd: RawEtcd,
    memory_budget: String,
    drain_seconds: u64,
    policies: Vec<String>,
    catalog: Vec<PathBuf>,
    dev: bool,
    server: String,
    account: u64,
    master_key_file: Option<PathBuf>,
    log: RawLog,
    tracing: RawTracing,
    quotas: BTreeMap<String, usize>,
}

macro_rules! quota_keys {
    ($($field:ident)*) => {
        const QUOTA_KEYS: &[&str] = &[$(stringify!($field)),*];

        /// Sets one quota by its key; false when there is none of that name.
        fn set_quota(quotas: &mut Quotas, key: &str, value: usize) -> bool {
            $(if key == stringify!($field) {
                quotas.$field = value;
                return true;
            })*
            false
        }
    };
}

quota_keys! {
    sub_accounts_per_account_max groups_per_account_max groups_per_user_max users_per_group_max
    accounts_per_collaborator_max policies_per_account_max attachments_per_target_max
    versions_per_policy_max apps_per_account_max tags_per_app_max policy_name_chars_max
    name_chars_max app_name_chars_max description_bytes_max remark_bytes_max tag_key_chars_max
    tag_value_chars_max roles_per_account_max access_keys_per_holder_max tags_per_policy_max
    tags_per_role_max role_session_seconds_max role_name_chars_max key_description_chars_max
    phone_num_chars_max country_code_chars_max email_chars_max
}

/// `[callers]` as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCallers {
    required: bool,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            grpc: "127.0.0.1:7401".into(),
            http: "127.0.0.1:7400".into(),
            tls: RawTls::default(),
            callers: RawCallers::default(),
            insecure: false,
            client: RawClient::default(),
            api: RawApi::default(),
            authzen: RawAuthzen::default(),
            console: RawConsole::default(),
            gate: RawGate::default(),
            decision_log: RawDecisionLog::default(),
            limits: RawLimits::default(),
            referee: RawReferee::default(),
            store: "sled:camgate-data".into(),
            etcd: RawEtcd::default(),
            memory_budget: "1GiB".into(),
            drain_seconds: 10,
            policies: Vec::new(),
            catalog: Vec::new(),
            dev: false,
            server: "http://127.0.0.1:7401".into(),
            account: 0,
            master_key_file: None,
            log: RawLog::default(),
            tracing: RawTracing::default(),
            quotas: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Reads `file`, the process's environment and the flags, in that order; later ones win.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown, or a value cannot be used.
    pub fn load(file: Option<&Path>, flags: Vec<Flag>) -> Result<Self, InvalidSettings> {
        let text = file.map(read_file).transpose()?;
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value)))
            .filter(|(key, _)| key.starts_with(PREFIX))
            .map(|(key, value)| match value.into_string() {
                Ok(value) => Ok((key, value)),
                Err(_) => Err(InvalidSettings(format!("the value of `{key}` is not valid UTF-8"))),
            })
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let name = file.map(|file| file.display().to_string()).unwrap_or_default();
        Self::merge(text.as_deref().map(|text| (name.as_str(), text)), environment, flags)
    }

    /// As `load`, from values: the file's name and text, the variables that begin with `CAMGATE_`,
    /// flags.
    ///
    /// # Errors
    /// As `load`.
    pub fn merge(
        toml: Option<(&str, &str)>,
        environment: BTreeMap<String, String>,
        flags: Vec<Flag>,
    ) -> Result<Self, InvalidSettings> {
        let mut figment = Figment::from(Serialized::defaults(Raw::default()));
        let mut sources = Sources::default();
        if let Some((name, text)) = toml {
            sources.add_file(name, text)?;
            figment = figment.merge(Toml::string(text));
        }
        let mut secrets = Secrets::default();
        for (name, text) in environment {
            let secret = match name.as_str() {
                MASTER_KEY => Some(&mut secrets.master_key),
                DEV_SECRET_ID => Some(&mut secrets.dev_secret_id),
                DEV_SECRET_KEY => Some(&mut secrets.dev_secret_key),
                ETCD_PASSWORD => Some(&mut secrets.etcd_password),
                TOKEN => Some(&mut secrets.token),
                _ => None,
            };
            if let Some(secret) = secret {
                *secret = Some(Hidden(Zeroizing::new(text)));
                continue;
            }
            let key = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".");
            let value = environment_value(&key, &text);
            sources.add_variable(&key, &name);
            figment = figment.merge((key, value));
        }
        for flag in flags {
            sources.add_flag(flag.0);
            figment = figment.merge(flag);
        }
        let raw = figment.extract().map_err(|error| InvalidSettings(explain(&error)));
        let checked = raw.and_then(|raw: Raw| Self::check(raw, secrets));
        checked.map_err(|error| sources.placed(error))
    }

    fn check(raw: Raw, secrets: Secrets) -> Result<Self, InvalidSettings> {
        let tls = raw.tls.settings()?;
        if raw.dev && raw.callers.required {
            return Err(InvalidSettings(
                "`dev` and `callers.required` are both set: a trial makes its account as nobody; \
                 leave `--dev`, and make the account with `camgate init`"
                    .to_owned(),
            ));
        }
        if raw.dev && tls.is_some() {
            return Err(InvalidSettings(
                "`dev` and `[tls]` are both set: a trial makes its account over plain connections; \
                 leave `--dev`, and make the account with `camgate init`"
                    .to_owned(),
            ));
        }
        let reach = Reach::of(tls.is_some() && raw.callers.required, raw.insecure);
        let grpc = listen_address("grpc", &raw.grpc, 7401, reach)?;
        let http = listen_address("http", &raw.http, 7400, reach)?;
        let mut quotas = Quotas::default();
        for (key, value) in raw.quotas {
            if !set_quota(&mut quotas, &key, value) {
                return Err(InvalidSettings(unknown(&format!("quotas.{key}"), &key, QUOTA_KEYS)));
            }
        }
        Ok(Self {
            grpc,
            http,
            tls,
            callers_required: raw.callers.required,
            insecure: raw.insecure,
            client: raw.client.settings()?,
            api: raw.api.settings(raw.dev),
            authzen: raw.authzen.settings()?,
            console: raw.console.settings(raw.dev),
            console_session_ms: raw.console.session_ms()?,
            gate: raw.gate.settings()?,
            decision_log: raw.decision_log.settings()?,
            limits: raw.limits.settings()?,
            referee: raw.referee.settings()?,
            store: parse_store(&raw.store)?,
            etcd: raw.etcd.settings(secrets.etcd_password.as_ref())?,
            policies: raw.policies,
            catalogs: raw.catalog,
            dev: raw.dev,
            server: raw.server,
            account: raw.account,
            log_filter: log_filter(raw.log.filter)?,
            log_format: raw.log.format,
            slow_ms: raw.log.slow_ms,
            tracing: raw.tracing.settings()?,
            quotas,
            master_key_file: raw.master_key_file,
            refuse_replays: raw.api.refuse_replays,
            memory_budget_bytes: size::read("memory_budget", &raw.memory_budget)?,
            drain: drain(raw.drain_seconds)?,
            secrets,
        })
    }

    /// One line for people, printed when the server starts.
    pub fn summary(&self) -> String {
        let catalogs: Vec<_> = self.catalogs.iter().map(|path| path.display()).collect();
        let decision_log = match &self.decision_log {
            Some(log) => format!("{} ({})", log.file.display(), log.mode.as_str()),
            None => "none".to_owned(),
        };
        format!(
            "grpc={} http={} store={} memory_budget={} policies={:?} catalog={catalogs:?} dev={} \
             log.filter={:?} decision_log={decision_log} referee.share={}",
            self.grpc,
            self.http,
            self.store,
            size::text(self.memory_budget_bytes),
            self.policies,
            self.dev,
            self.log_filter,
            self.referee.share
        )
    }
}

fn read_file(path: &Path) -> Result<String, InvalidSettings> {
    let refuse = |reason: String| {
        InvalidSettings(format!("cannot read the configuration `{}`: {reason}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > CONFIG_BYTES_MAX {
        return Err(refuse(format!("it has {size} bytes, at most {CONFIG_BYTES_MAX} are read")));
    }
    std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))
}

/// Who may reach the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Only this machine.
    Loopback,
    /// Everybody: callers are authenticated, or need not be.
    Everybody,
}

impl Reach {
    fn of(is_guarded: bool, is_insecure: bool) -> Self {
        if is_guarded || is_insecure { Self::Everybody } else { Self::Loopback }
    }
}

/// What is logged.
fn log_filter(text: String) -> Result<String, InvalidSettings> {
    match EnvFilter::try_new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(InvalidSettings(format!(
            "`log.filter` is `{text}`, expected levels by module such as `camgate=info,warn`: \
             {error}"
        ))),
    }
}

/// How long to drain.
fn drain(seconds: u64) -> Result<Duration, InvalidSettings> {
    if seconds <= DRAIN_SECONDS_MAX {
        return Ok(Duration::from_secs(seconds));
    }
    Err(InvalidSettings(format!(
        "`drain_seconds` is {seconds}, at most {DRAIN_SECONDS_MAX} is accepted"
    )))
}

/// An address to listen on.
fn listen_address(
    key: &str,
    text: &str,
    port: u16,
    reach: Reach,
) -> Result<SocketAddr, InvalidSettings> {
    let address: SocketAddr = text.parse().map_err(|_| {
        InvalidSettings(format!(
            "`{key}` is `{text}`, expected an address and a port such as `127.0.0.1:{port}`"
        ))
    })?;
    if address.ip().is_loopback() || reach == Reach::Everybody {
        return Ok(address);
    }
    Err(InvalidSettings(format!(
        "`{key}` is `{address}`, which other machines can reach, and there is neither TLS nor \
         authentication of callers: set `[tls]` and `[callers] required = true`, or listen on a \
         loopback address such as `127.0.0.1:{}`; `--insecure` listens all the same, and lets \
         everybody ask and administer",
        address.port()
    )))
}

/// Reads `sled:DIR`, `etcd:URL,URL` or `memory`.
///
/// # Errors
/// For anything else.
pub fn parse_store(text: &str) -> Result<StoreChoice, InvalidSettings> {
    match text.split_once(':') {
        None if text == "memory" => Ok(StoreChoice::Memory),
        Some(("sled", directory)) if !directory.is_empty() => {
            Ok(StoreChoice::Sled(PathBuf::from(directory)))
        }
        Some(("etcd", members)) => Ok(StoreChoice::Etcd(etcd::members(members)?)),
        _ => Err(InvalidSettings(format!(
            "`store` is `{text}`, expected `sled:DIR`, `etcd:URL,URL` or `memory`"
        ))),
    }
}

/// The environment has text only; the key says what it is to be. Lists are parted by commas.
fn environment_value(key: &str, text: &str) -> Value {
    let parsed = match key {
        "policies"
        | "catalog"
        | "gate.services"
        | "gate.trusted_proxies"
        | "authzen.subject_types" => {
            Some(text.split(',').filter(|part| !part.is_empty()).collect::<Vec<_>>().into())
        }
        "dev"
        | "callers.required"
        | "insecure"
        | "console.secure_cookie"
        | "gate.action_headers"
        | "gate.applies_filter"
        | "api.refuse_replays" => text.parse::<bool>().ok().map(Value::from),
        "tracing.sample_ratio" => text.parse::<f64>().ok().map(Value::from),
        "account"
        | "authzen.account"
        | "drain_seconds"
        | "console.session_seconds"
        | "etcd.staleness_max_ms"
        | "gate.cache_ms"
        | "gate.deadline_ms"
        | "log.slow_ms" => whole(text),
        "limits.buffer_bytes_max" => None,
        _ if ["quotas.", "api.", "limits."].iter().any(|it| key.starts_with(it)) => whole(text),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

fn whole(text: &str) -> Option<Value> {
    text.parse::<u64>().ok().map(Value::from)
}

/// What is wrong, by key; where it was set is added by `sources`.
fn explain(error: &figment::Error) -> String {
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(name, known) => {
            let mut path = error.path.clone();
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            unknown(&path.join("."), name, known)
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            let (found, expected) = (plain(&found.to_string()), plain(expected));
            format!("`{key}` is {found}, expected {expected}")
        }
        Kind::UnknownVariant(found, known) => {
            format!("`{key}` is `{found}`, expected one of `{}`", known.join("`, `"))
        }
        other @ (Kind::Message(_)
        | Kind::InvalidLength(..)
        | Kind::MissingField(_)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..)) => format!("`{key}` cannot be used: {other}"),
    }
}

/// serde's words for kinds of values, as people call them who write no Rust.
fn plain(text: &str) -> String {
    let is_number =
        matches!(text, "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64");
    if is_number {
        return "a whole number".to_owned();
    }
    let words = [
        ("unsigned int ", "the number "),
        ("signed int ", "the number "),
        ("float ", "the number "),
        ("bool ", ""),
        ("string ", "the text "),
        ("sequence", "a list"),
        ("a sequence", "a list"),
        ("map", "a table"),
        ("a map", "a table"),
        ("a string", "a text"),
        ("path string", "a path"),
        ("a boolean", "`true` or `false`"),
    ];
    let found = words.iter().find_map(|(word, plain)| Some((text.strip_prefix(word)?, plain)));
    found.map_or_else(|| text.to_owned(), |(rest, plain)| format!("{plain}{rest}"))
}

fn unknown(path: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("unknown setting `{path}`; did you mean `{near}`?"),
        None => format!("unknown setting `{path}`, expected one of `{}`", known.join("`, `")),
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance * 2 <= candidate.len().max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(
        toml: &str,
        environment: &[(&str, &str)],
        flags: Vec<Flag>,
    ) -> Result<Settings, String> {
        let environment =
            environment.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let toml = Some(("camgate.toml", toml));
        Settings::merge(toml, environment, flags).map_err(|error| error.to_string())
    }

    #[test]
    fn merge_later_sources_win() {
        let toml = "grpc = \"127.0.0.1:1\"\nserver = \"http://a\"\n[log]\nfilter = \"file\"";
        let settings = merged(
            toml,
            &[("CAMGATE_GRPC", "127.0.0.1:2"), ("CAMGATE_LOG__FILTER", "environment")],
            vec![("grpc", Value::from("127.0.0.1:3"))],
        )
        .unwrap();
        assert_eq!(settings.grpc.port(), 3);
        assert_eq!(settings.log_filter, "environment");
        assert_eq!(settings.server, "http://a");
        assert_eq!(settings.store, StoreChoice::Sled("camgate-data".into()));
    }

    #[test]
    fn merge_reads_types_from_the_environment() {
        let settings = merged(
            "",
            &[
                ("CAMGATE_POLICIES", "a/*.json,策略/*.json"),
                ("CAMGATE_DEV", "true"),
                ("CAMGATE_ACCOUNT", "12345678"),
                ("CAMGATE_DEV_SECRET_ID", "x"),
                ("CAMGATE_QUOTAS__APPS_PER_ACCOUNT_MAX", "7"),
            ],
            vec![],
        )
        .unwrap();
        assert_eq!(settings.policies, ["a/*.json", "策略/*.json"]);
        assert!(settings.dev);
        let quotas = Quotas { apps_per_account_max: 7, ..Quotas::default() };
        assert_eq!(settings.quotas, quotas);
        assert_eq!(settings.account, 12_345_678);
        assert_eq!(settings.secrets.dev_secret_id.as_ref().unwrap().expose(), "x");
        assert!(settings.secrets.master_key.is_none());
    }

    #[test]
    fn secrets_come_from_the_environment_and_are_never_shown() {
        let secret = "camgate-master-key-1:c2VjcmV0";
        let environment = [
            ("CAMGATE_MASTER_KEY", secret),
            ("CAMGATE_DEV_SECRET_KEY", secret),
            ("CAMGATE_MASTER_KEY_FILE", "a file"),
        ];
        let settings = merged("", &environment, vec![]).unwrap();
        assert_eq!(settings.secrets.master_key.as_ref().unwrap().expose(), secret);
        assert_eq!(settings.secrets.dev_secret_key.as_ref().unwrap().expose(), secret);
        assert_eq!(settings.master_key_file, Some("a file".into()));
        assert!(!format!("{settings:?} {}", settings.summary()).contains("c2VjcmV0"));
        for toml in ["master_key = \"x\"", "dev_secret_key = \"x\""] {
            assert!(merged(toml, &[], vec![]).unwrap_err().contains("unknown setting"));
        }
    }

    #[test]
    fn merge_refuses_unknown_keys_with_the_nearest() {
        for (toml, environment, expected) in [
            (
                "polices = []",
                vec![],
                "`camgate.toml` line 1: unknown setting `polices`; did you mean `policies`?",
            ),
            (
                "[log]\nfliter = \"\"",
                vec![],
                "`camgate.toml` line 2: unknown setting `log.fliter`; did you mean `filter`?",
            ),
            (
                "[quotas]\ngroups_per_acount_max = 1",
                vec![],
                "`camgate.toml` line 2: unknown setting `quotas.groups_per_acount_max`; did you mean \
                 `groups_per_account_max`?",
            ),
            (
                "",
                vec![("CAMGATE_GRCP", "x")],
                "CAMGATE_GRCP: unknown setting `grcp`; did you mean `grpc`?",
            ),
            (
                "[log]\nx = 1",
                vec![],
                "`camgate.toml` line 2: unknown setting `log.x`, expected one of `filter`, `format`, \
                 `slow_ms`",
            ),
        ] {
            assert_eq!(merged(toml, &environment, vec![]).unwrap_err(), expected);
        }
    }

    #[test]
    fn merge_refuses_values_that_cannot_be_used() {
        for (toml, part) in [
            ("grpc = \"0.0.0.0:7401\"", "neither TLS nor authentication"),
            ("grpc = \"[::]:7401\"", "other machines can reach"),
            ("grpc = \"here\"", "expected an address and a port"),
            ("http = \"0.0.0.0:7400\"", "`http` is `0.0.0.0:7400`, which other machines"),
            ("[api]\nrequests_per_second = -1", "requests_per_second"),
            ("store = \"sled:\"", "expected `sled:DIR`, `etcd:URL,URL` or `memory`"),
            ("store = \"etcd:x\"", "has the etcd member `x`"),
            ("dev = 3", "dev"),
            ("grpc = ", "`camgate.toml` line 1, column 8: no valid TOML: "),
            ("drain_seconds = 3601", "at most 3600"),
        ] {
            let message = merged(toml, &[], vec![]).unwrap_err();
            assert!(message.contains(part), "{toml}: {message}");
        }
    }

    #[test]
    fn merge_says_where_the_wrong_value_was_set() {
        let toml = "# first\ngrpc = \"here\"\nstore = \"memory\"\n\n[log]\nformat = \"text\"\n\
            [[gate.routes]]\nmethods = 3\n[api]\n";
        let routes = toml.replace("here", "127.0.0.1:1");
        let ok = routes.replace("[[gate.routes]]\nmethods = 3\n", "");
        let flag = |text: &str| vec![("grpc", Value::from(text))];
        let both = format!("{ok}[etcd]\nkey_file = \"k\"");
        for (toml, environment, flags, expected) in [
            (toml, vec![], vec![], "`camgate.toml` line 8: `gate.routes.0.methods` is "),
            (&ok.replace("127.0.0.1:1", "here"), vec![], vec![], "`camgate.toml` line 2: `grpc`"),
            (&ok, vec![("CAMGATE_GRPC", "x")], vec![], "CAMGATE_GRPC: `grpc` is `x`, expected"),
            (&ok, vec![("CAMGATE_GRPC", "x")], flag("y"), "--grpc: `grpc` is `y`, expected"),
            (&ok, vec![("CAMGATE_LOG__FORMAT", "x")], vec![], "CAMGATE_LOG__FORMAT: `log.format` "),
            (&ok, vec![("CAMGATE_STORE__X", "x")], vec![], "CAMGATE_STORE__X: `store` is a table"),
            (
                &ok,
                vec![("CAMGATE_DEV", "yes")],
                vec![],
                "CAMGATE_DEV: `dev` is the text \"yes\", expe",
            ),
            (&both, vec![], vec![], "`camgate.toml` line 9: set both `etcd.certificate_file`"),
            // A default is nobody's; an advice names no culprit.
            ("", vec![("CAMGATE_ETCD_PASSWORD", "x")], vec![], "CAMGATE_ETCD_PASSWORD is set, and"),
            (
                "policies = []\npolices = []",
                vec![],
                vec![],
                "`camgate.toml` line 2: unknown setting `polices`; did you mean `policies`?",
            ),
        ] {
            let message = merged(toml, &environment, flags).unwrap_err();
            assert!(message.starts_with(expected), "expected: {expected}\nactual: {message}");
        }
    }
}
