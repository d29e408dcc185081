//! Talking to a server: connecting, finding things by name, and showing what it refuses.
//!
//! The one place of the command line that opens connections. It must never retry a write.

use std::error::Error as _;
use std::path::Path;

use serde_json::{Value, json};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::answer::{CliError, ExitStatus, error_json};
use crate::config::{ClientSettings, Settings};
use crate::service::bearer::{Bearer, Link};
use crate::service::proto;
use proto::administration_service_client::AdministrationServiceClient;
use proto::audit_service_client::AuditServiceClient;
use proto::authorization_service_client::AuthorizationServiceClient;
use proto::caller_service_client::CallerServiceClient;
use proto::store_service_client::StoreServiceClient;
use proto::watch_service_client::WatchServiceClient;

/// Most pages of a list that are fetched; at 200 items each.
const PAGES_MAX: usize = 5_000;
/// Items wanted per page; the most that the API gives.
pub const PAGE_SIZE: u32 = 200;

/// A connection to a server, and the account that commands are about.
#[derive(Debug)]
pub struct Client {
    /// Decides.
    pub authorization: AuthorizationServiceClient<Link>,
    /// Administers.
    pub administration: AdministrationServiceClient<Link>,
    /// Verifies and follows change logs.
    pub audit: AuditServiceClient<Link>,
    /// Administers service callers.
    pub callers: CallerServiceClient<Link>,
    /// Exports the store.
    pub store: StoreServiceClient<Link>,
    /// Streams changes.
    pub watch: WatchServiceClient<Link>,
    owner: u64,
}

/// What CAMGATE_TOKEN says.
fn bearer(settings: &Settings) -> Result<Bearer, CliError> {
    match &settings.secrets.token {
        None => Ok(Bearer::default()),
        Some(token) => Bearer::new(token.expose()).ok_or_else(|| {
            CliError::Usage("CAMGATE_TOKEN is no token: it has characters that none has".into())
        }),
    }
}

/// What `[client]` says about TLS.
fn tls(settings: &ClientSettings) -> Result<ClientTlsConfig, CliError> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| CliError::Usage(format!("cannot read `{}`: {error}", path.display())))
    };
    let Some(ca_file) = &settings.ca_file else {
        return Err(CliError::Usage(
            "a server at `https://` needs `[client] ca_file`: the certificate of who signs the \
             server's (or CAMGATE_CLIENT__CA_FILE)"
                .into(),
        ));
    };
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca_file)?));
    Ok(match &settings.identity_files {
        Some((certificate, key)) => {
            tls.identity(Identity::from_pem(read(certificate)?, read(key)?))
        }
        None => tls,
    })
}

/// Why a connection failed, where that says more than that nobody is there.
fn cause(error: &tonic::transport::Error) -> String {
    let mut cause = error.source();
    let mut text = String::new();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    if text.contains("certificate") { format!(": {text}") } else { String::new() }
}

impl Client {
    /// Connects to the server of the settings.
    ///
    /// # Errors
    /// When the address is no `http://` address, or nothing answers there.
    pub async fn connect(settings: &Settings) -> Result<Self, CliError> {
        let server = settings.server.as_str();
        let is_secure = server.starts_with("https://");
        if !is_secure && !server.starts_with("http://") {
            return Err(CliError::Usage(format!(
                "`server` is `{server}`, expected an address such as `http://127.0.0.1:7401`, or \
                 `https://` where the server has a certificate"
            )));
        }
        let mut endpoint = Channel::from_shared(server.to_owned()).map_err(|error| {
            CliError::Usage(format!("`server` is `{server}`, which is no address: {error}"))
        })?;
        if is_secure {
            endpoint = endpoint.tls_config(tls(&settings.client)?).map_err(|error| {
                CliError::Usage(format!("cannot use the certificates of `[client]`: {error}"))
            })?;
        }
        let channel = endpoint.connect().await.map_err(|error| {
            CliError::CannotTell(format!(
                "no server answers at `{server}`{}; start one with `camgate serve`, or name \
                 another with `--server`",
                cause(&error)
            ))
        })?;
        let link = Link::new(channel, bearer(settings)?);
        Ok(Self {
            authorization: AuthorizationServiceClient::new(link.clone()),
            administration: AdministrationServiceClient::new(link.clone()),
            audit: AuditServiceClient::new(link.clone()),
            callers: CallerServiceClient::new(link.clone()),
            store: StoreServiceClient::new(link.clone()),
            watch: WatchServiceClient::new(link),
            owner: settings.account,
        })
    }

    /// The account that the command is about: the one given, or the server's only one.
    ///
    /// # Errors
    /// When none was given and the server has none or several.
    pub async fn owner(&mut self) -> Result<u64, CliError> {
        if self.owner != 0 {
            return Ok(self.owner);
        }
        let page = proto::PageRequest { page_size: 2, page_token: String::new() };
        let request = proto::ListAccountsRequest { consistency: None, page: Some(page) };
        let accounts = self.administration.list_accounts(request).await?.into_inner().accounts;
        match accounts.as_slice() {
            [account] => {
                self.owner = account.owner_uin;
                Ok(account.owner_uin)
            }
            [] => Err(CliError::Usage(
                "the server has no account; create one with `camgate init --owner UIN --app-id N`"
                    .to_owned(),
            )),
            _ => Err(CliError::Usage(
                "the server has several accounts; name one with `--account UIN` \
                 (`camgate account list` shows them)"
                    .to_owned(),
            )),
        }
    }

    /// A sub-account's uin, from its uin or its name; `root` is the account itself.
    ///
    /// # Errors
    /// When there is none by that name.
    pub async fn uin(&mut self, text: &str) -> Result<u64, CliError> {
        if let Ok(uin) = text.parse() {
            return Ok(uin);
        }
        let owner_uin = self.owner().await?;
        if text == "root" {
            return Ok(owner_uin);
        }
        let name = text.to_owned();
        let request = proto::GetSubAccountRequest { owner_uin, name, ..Default::default() };
        let found = self.administration.get_sub_account(request).await?.into_inner().sub_account;
        found.map(|user| user.uin).ok_or_else(|| missing("sub-account"))
    }

    /// A group's id, from its id or its name.
    ///
    /// # Errors
    /// When there is none by that name.
    pub async fn group_id(&mut self, text: &str) -> Result<u64, CliError> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let owner_uin = self.owner().await?;
        let name = text.to_owned();
        let request = proto::GetGroupRequest { owner_uin, name, ..Default::default() };
        let found = self.administration.get_group(request).await?.into_inner().group;
        found.map(|group| group.group_id).ok_or_else(|| missing("group"))
    }

    /// A role's id, from its id or its name.
    ///
    /// # Errors
    /// When there is none by that name.
    pub async fn role_id(&mut self, text: &str) -> Result<u64, CliError> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let owner_uin = self.owner().await?;
        let name = text.to_owned();
        let request = proto::GetRoleRequest { owner_uin, name, ..Default::default() };
        let found = self.administration.get_role(request).await?.into_inner().role;
        found.map(|role| role.role_id).ok_or_else(|| missing("role"))
    }

    /// A policy's id, from its id or its name.
    ///
    /// # Errors
    /// When there is none by that name.
    pub async fn policy_id(&mut self, text: &str) -> Result<u64, CliError> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let owner_uin = self.owner().await?;
        let name = text.to_owned();
        let request = proto::GetPolicyRequest { owner_uin, name, ..Default::default() };
        let found = self.administration.get_policy(request).await?.into_inner().policy;
        found.map(|policy| policy.policy_id).ok_or_else(|| missing("policy"))
    }
}

/// An answer of the server that lacks what its contract promises.
#[must_use]
pub fn missing(what: &str) -> CliError {
    CliError::CannotTell(format!("the server's answer has no {what}"))
}

/// The pages of one list, as they are fetched.
#[derive(Debug, Default)]
pub struct Pages {
    token: String,
    fetched: usize,
}

impl Pages {
    /// What to ask for next.
    #[must_use]
    pub fn request(&self) -> Option<proto::PageRequest> {
        Some(proto::PageRequest { page_size: PAGE_SIZE, page_token: self.token.clone() })
    }

    /// Whether there is more to fetch after a page with this token.
    pub fn goes_on(&mut self, next_page_token: String) -> bool {
        self.fetched = self.fetched.saturating_add(1);
        self.token = next_page_token;
        !self.token.is_empty() && self.fetched < PAGES_MAX
    }
}

/// The exit status for an error.
#[must_use]
pub fn exit_status(error: &CliError) -> ExitStatus {
    let status = match error {
        CliError::Usage(_) => return ExitStatus::Usage,
        CliError::CannotTell(_) | CliError::Output(_) => return ExitStatus::CannotTell,
        CliError::Refused(status) => status,
    };
    // Findings about a policy text or a folder are findings, also when a server makes them.
    let of_text = |field: &str| field.starts_with("document") || field.starts_with("files");
    if findings(status).iter().any(|(field, _)| of_text(field)) {
        return ExitStatus::Denied;
    }
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::ResourceExhausted
        | Code::Unimplemented => ExitStatus::Usage,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => ExitStatus::CannotTell,
    }
}

/// An error for people: the message, then one line for each detail.
#[must_use]
pub fn error_text(error: &CliError) -> String {
    let CliError::Refused(status) = error else { return format!("error: {error}") };
    let mut lines = vec![format!("error: {} ({})", status.message(), code_name(status.code()))];
    for (field, description) in findings(status) {
        lines.push(format!("  {field}: {description}"));
    }
    let details = status.get_error_details();
    for violation in details.precondition_failure().iter().flat_map(|d| &d.violations) {
        lines.push(format!("  {}: {}", violation.subject, violation.description));
    }
    for violation in details.quota_failure().iter().flat_map(|d| &d.violations) {
        lines.push(format!("  {}: {}", violation.subject, violation.description));
    }
    lines.join("\n")
}

/// An error for programs.
#[must_use]
pub fn error_value(error: &CliError) -> Value {
    let CliError::Refused(status) = error else {
        let code = match exit_status(error) {
            ExitStatus::Usage => "USAGE",
            ExitStatus::Fine | ExitStatus::Denied | ExitStatus::CannotTell => "CANNOT_TELL",
        };
        return error_json(code, &error.to_string());
    };
    let details = status.get_error_details();
    let fields: Vec<_> = findings(status)
        .into_iter()
        .map(|(field, description)| json!({ "field": field, "description": description }))
        .collect();
    json!({ "error": {
        "code": code_name(status.code()),
        "message": status.message(),
        "reason": details.error_info().map(|info| info.reason.clone()).unwrap_or_default(),
        "fields": fields,
    }})
}

/// The field violations that an error carries: field or place, and description.
fn findings(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    details
        .bad_request()
        .iter()
        .flat_map(|detail| &detail.field_violations)
        .map(|violation| (violation.field.clone(), violation.description.clone()))
        .collect()
}

/// The code's name as gRPC writes it, e.g. `NOT_FOUND`.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
