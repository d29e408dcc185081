//! TLS from files: what the server shows, whom it believes, and reading both again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tracing::{info, warn};

use super::expiry::first_end;

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They may; one that does not verify ends the connection all the same.
    Optional,
    /// They must.
    Required,
}

/// The files of `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate and those between it and its authority, in PEM.
    pub certificate_file: PathBuf,
    /// Its key, in PEM.
    pub key_file: PathBuf,
    /// Who signs clients' certificates, in PEM.
    pub client_ca_file: Option<PathBuf>,
    /// Whether clients show them.
    pub client_certificates: ClientCertificates,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The certificate and the key cannot be used together, or the authorities not at all.
    #[error("cannot use {what}: {problem}")]
    Unusable {
        /// Which files.
        what: String,
        /// Why.
        problem: String,
    },
}

/// What both ports serve with; the newest that was good.
pub struct Tls {
    settings: TlsSettings,
    current: ArcSwap<Current>,
    handshakes: AtomicU64,
    handshakes_failed: AtomicU64,
}

/// TLS in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct TlsVitals {
    /// Handshakes so far.
    pub(in crate::service) handshakes: u64,
    /// Those among them that failed.
    pub(in crate::service) handshakes_failed: u64,
    /// When certificates that can be read end, in seconds since 1970: the server's with those
    /// between it and its authority, and the clients' authorities.
    pub(in crate::service) ends: Vec<(&'static str, u64)>,
}

struct Current {
    /// Of the contents of all files.
    digest: [u8; 32],
    /// For HTTP/2, and for HTTP/1.1.
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    ends: Vec<(&'static str, u64)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The contents of the files.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&settings.certificate_file)?,
            key: read(&settings.key_file)?,
            client_ca: settings.client_ca_file.as_deref().map(read).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()] {
            let part = part.map(Vec::as_slice).unwrap_or_default();
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |problem: String| TlsError::File { path: path.to_owned(), problem };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(format!("it has {size} bytes, at most {FILE_BYTES_MAX} are read")));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], which names the file.
    pub fn load(settings: TlsSettings) -> Result<Arc<Self>, TlsError> {
        let current = build(&settings, &Files::read(&settings)?)?;
        let current = ArcSwap::from_pointee(current);
        let (handshakes, handshakes_failed) = Default::default();
        Ok(Arc::new(Self { settings, current, handshakes, handshakes_failed }))
    }

    /// A handshake is over.
    pub(super) fn shaken(&self, has_failed: bool) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        self.handshakes_failed.fetch_add(u64::from(has_failed), Ordering::Relaxed);
    }

    /// TLS in numbers.
    pub(in crate::service) fn vitals(&self) -> TlsVitals {
        TlsVitals {
            handshakes: self.handshakes.load(Ordering::Relaxed),
            handshakes_failed: self.handshakes_failed.load(Ordering::Relaxed),
            ends: self.current.load().ends.clone(),
        }
    }

    /// What a new connection of the gRPC port is served with.
    pub(super) fn grpc(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().grpc)
    }

    /// What a new connection of the HTTP port is served with.
    pub(super) fn http(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().http)
    }

    /// Reads the files again; true when they have changed and are in force.
    ///
    /// # Errors
    /// [`TlsError`]: what was in force stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.settings)?;
        if files.digest() == self.current.load().digest {
            return Ok(false);
        }
        let next = build(&self.settings, &files)?;
        self.current.store(Arc::new(next));
        Ok(true)
    }

    /// Reads the files again whenever they have changed; what is wrong is told to `report`. Never
    /// ends by itself.
    pub async fn follow(&self, report: impl Fn(Option<String>)) {
        let mut ticks = tokio::time::interval(POLL);
        let mut last_problem = None;
        loop {
            ticks.tick().await;
            let problem = match self.reload() {
                Ok(true) => {
                    info!("certificates were read anew");
                    None
                }
                Ok(false) => None,
                Err(problem) => Some(problem.to_string()),
            };
            if problem != last_problem {
                if let Some(problem) = &problem {
                    warn!(%problem, "certificates cannot be read anew; the last good ones stay");
                }
                report(problem.clone());
                last_problem = problem;
            }
        }
    }
}

fn build(settings: &TlsSettings, files: &Files) -> Result<Current, TlsError> {
    let of_server = |problem: String| TlsError::Unusable {
        what: format!(
            "the certificate `{}` with the key `{}`",
            settings.certificate_file.display(),
            settings.key_file.display()
        ),
        problem,
    };
    let chain = certificates(&files.certificate).map_err(of_server)?;
    let mut ends: Vec<_> = first_end(&chain).map(|end| ("server", end)).into_iter().collect();
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|error| of_server(format!("the key file has no key in PEM: {error}")))?;
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| of_server(error.to_string()))?;
    let config = match (&files.client_ca, settings.client_certificates) {
        (
            Some(client_ca),
            wanted @ (ClientCertificates::Optional | ClientCertificates::Required),
        ) => {
            let path = settings.client_ca_file.clone().unwrap_or_default();
            let of_clients = |problem: String| TlsError::Unusable {
                what: format!("the authorities in `{}`", path.display()),
                problem,
            };
            let mut roots = RootCertStore::empty();
            let authorities = certificates(client_ca).map_err(of_clients)?;
            ends.extend(first_end(&authorities).map(|end| ("client_ca", end)));
            for certificate in authorities {
                roots.add(certificate).map_err(|error| of_clients(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match wanted {
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
                ClientCertificates::None | ClientCertificates::Required => verifier,
            };
            let verifier = verifier.build().map_err(|error| of_clients(error.to_string()))?;
            config.with_client_cert_verifier(verifier)
        }
        (None, _) | (Some(_), ClientCertificates::None) => config.with_no_client_auth(),
    };
    let config =
        config.with_single_cert(chain, key).map_err(|error| of_server(error.to_string()))?;
    let with_protocol = |protocol: &[u8]| {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    };
    Ok(Current {
        digest: files.digest(),
        grpc: with_protocol(b"h2"),
        http: with_protocol(b"http/1.1"),
        ends,
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in PEM".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("a certificate is no PEM: {error}")),
    }
}

/// The names in a certificate that was verified, by DNS and by URI. Its common name is none: nobody
/// has checked what it means for years.
pub(super) fn identities(certificate: &CertificateDer<'static>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let names = certificate.valid_dns_names().chain(certificate.valid_uri_names());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}
