//! The way to an OpenTelemetry collector, of traces and of the decision log.
//!
//! It must never wait for the collector: that need not be there yet.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// How long the collector may take for one message.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection to it may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a collector cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// Its address is none.
    #[error("the collector's address `{endpoint}` cannot be used: {problem}")]
    Endpoint {
        /// The address.
        endpoint: String,
        /// Why.
        problem: String,
    },
    /// Its authority cannot be read.
    #[error("the collector's authority: cannot read `{}`: {source}", .path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Only the lines of a file can be sent.
    #[error("`{}` is no regular file, and only the lines of one can be sent", .path.display())]
    NoFile {
        /// What it is.
        path: PathBuf,
    },
    /// The sender cannot be made.
    #[error("nothing can be sent to the collector: {0}")]
    Exporter(String),
}

/// A connection that is made when it is needed; to be called within a runtime.
pub(super) fn channel(endpoint: &str, ca_file: Option<&Path>) -> Result<Channel, CollectorError> {
    let unusable = |problem: &dyn Display| CollectorError::Endpoint {
        endpoint: endpoint.to_owned(),
        problem: problem.to_string(),
    };
    let mut collector = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|error| unusable(&error))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    if let Some(path) = ca_file {
        let failed = |source| CollectorError::Authority { path: path.to_owned(), source };
        let authority = Certificate::from_pem(std::fs::read(path).map_err(failed)?);
        let tls = ClientTlsConfig::new().ca_certificate(authority);
        collector = collector.tls_config(tls).map_err(|error| unusable(&error))?;
    }
    Ok(collector.connect_lazy())
}
