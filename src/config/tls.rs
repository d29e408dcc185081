//! `[tls]` and `[client]` of the configuration: certificates of the server, and of the command line
//! when it talks to one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::InvalidSettings;
use crate::service::transport::{ClientCertificates, TlsSettings};

/// `[tls]` as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTls {
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_ca_file: Option<PathBuf>,
    client_certificates: Option<Wanted>,
}

/// Whether clients show certificates, as written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Optional,
    Required,
}

/// `[client]` as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawClient {
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

/// How the command line reaches a server by TLS: the keys of `[client]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientSettings {
    /// Who signs the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate and key.
    pub identity_files: Option<(PathBuf, PathBuf)>,
}

impl RawTls {
    /// The settings; none for plain connections.
    ///
    /// # Errors
    /// When some of what belongs together is missing.
    pub(super) fn settings(self) -> Result<Option<TlsSettings>, InvalidSettings> {
        let Self { certificate_file, key_file, client_ca_file, client_certificates } = self;
        let Some((certificate_file, key_file)) = pair("tls", certificate_file, key_file)? else {
            if client_ca_file.is_some() || client_certificates.is_some() {
                return refuse(
                    "`[tls]` says something about clients, and has no `certificate_file` and \
                     `key_file` of the server: set both",
                );
            }
            return Ok(None);
        };
        let client_certificates = match (&client_ca_file, client_certificates) {
            (None, None) => ClientCertificates::None,
            (None, Some(_)) => {
                return refuse(
                    "`tls.client_certificates` is set, and `tls.client_ca_file` is not: name the \
                     file with the certificates of who signs them",
                );
            }
            (Some(_), Some(Wanted::Optional)) => ClientCertificates::Optional,
            (Some(_), None | Some(Wanted::Required)) => ClientCertificates::Required,
        };
        Ok(Some(TlsSettings { certificate_file, key_file, client_ca_file, client_certificates }))
    }
}

impl RawClient {
    /// The settings.
    ///
    /// # Errors
    /// When only one of certificate and key is given.
    pub(super) fn settings(self) -> Result<ClientSettings, InvalidSettings> {
        let Self { ca_file, certificate_file, key_file } = self;
        let identity_files = pair("client", certificate_file, key_file)?;
        Ok(ClientSettings { ca_file, identity_files })
    }
}

fn refuse<T>(text: &str) -> Result<T, InvalidSettings> {
    Err(InvalidSettings(text.to_owned()))
}

/// A certificate with its key: both or neither.
pub(super) fn pair(
    table: &str,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, InvalidSettings> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(InvalidSettings(format!(
            "set both `{table}.certificate_file` and `{table}.key_file`, or neither"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> Option<PathBuf> {
        Some(PathBuf::from(name))
    }

    #[test]
    fn what_belongs_together_comes_together() {
        let server =
            || RawTls { certificate_file: path("c"), key_file: path("k"), ..RawTls::default() };
        assert_eq!(RawTls::default().settings().unwrap(), None);
        let plain = server().settings().unwrap().unwrap();
        assert_eq!(plain.client_certificates, ClientCertificates::None);
        let mutual = RawTls { client_ca_file: path("a"), ..server() }.settings().unwrap().unwrap();
        assert_eq!(mutual.client_certificates, ClientCertificates::Required);
        let optional = RawTls {
            client_ca_file: path("a"),
            client_certificates: Some(Wanted::Optional),
            ..server()
        };
        let optional = optional.settings().unwrap().unwrap();
        assert_eq!(optional.client_certificates, ClientCertificates::Optional);
        for (raw, part) in [
            (RawTls { key_file: None, ..server() }, "`tls.key_file`"),
            (RawTls { certificate_file: None, ..server() }, "`tls.certificate_file`"),
            (RawTls { client_ca_file: path("a"), ..RawTls::default() }, "of the server"),
            (
                RawTls { client_certificates: Some(Wanted::Required), ..server() },
                "`tls.client_ca_file`",
            ),
        ] {
            let told = raw.settings().unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
        }
        let half = RawClient { key_file: path("k"), ..RawClient::default() };
        assert!(half.settings().unwrap_err().to_string().contains("`client.key_file`"));
    }
}
