//! How the deciders reach a camgate that wants to know who calls.

use std::fmt;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::question::AskError;
use crate::service::bearer::{Bearer, Link};

/// What a decider shows, and whom it believes.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The token of this service, where camgate wants callers to be known.
    pub token: Option<String>,
    /// Who signs camgate's certificate, in PEM; for `https://` servers.
    pub ca_pem: Option<Vec<u8>>,
    /// This service's certificate and key, in PEM.
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, ca_pem, identity_pem } = self;
        f.debug_struct("Credentials")
            .field("token", &token.is_some())
            .field("ca_pem", &ca_pem.is_some())
            .field("identity_pem", &identity_pem.is_some())
            .finish()
    }
}

/// Connects on first use.
///
/// # Errors
/// [`AskError::Question`] for a server that is no URL, and credentials that cannot be used.
pub(super) fn connect(server: &str, credentials: &Credentials) -> Result<Link, AskError> {
    let refuse = |problem: String| AskError::Question(problem);
    let endpoint = Endpoint::from_shared(server.to_owned());
    let mut endpoint = endpoint.map_err(|_| refuse(format!("`{server}` is no URL")))?;
    let Credentials { token, ca_pem, identity_pem } = credentials;
    if server.starts_with("https://") {
        let mut tls = ClientTlsConfig::new();
        if let Some(ca) = ca_pem {
            tls = tls.ca_certificate(Certificate::from_pem(ca));
        }
        if let Some((certificate, key)) = identity_pem {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        endpoint = endpoint
            .tls_config(tls)
            .map_err(|error| refuse(format!("the certificates cannot be used: {error}")))?;
    }
    let bearer = match token {
        Some(token) => Bearer::new(token).ok_or_else(|| refuse("the token is none".to_owned()))?,
        None => Bearer::default(),
    };
    let channel: Channel = endpoint.connect_lazy();
    Ok(Link::new(channel, bearer))
}
