//! How a cluster is reached: members, user, certificates, and the keys' prefix.

use std::fmt;
use std::time::Duration;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

/// What a call that was sent is given to be answered; the pool's own deadline is shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);
/// How often a silent connection is asked whether it lives, and how long its answer may take: a
/// member that is stopped keeps its connections open.
const KEEP_ALIVE: (Duration, Duration) =
    (Duration::from_millis(1_000), Duration::from_millis(2_000));

/// A cluster, and how to reach it.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    /// The members' URLs, `http://host:port` or `https://host:port`; at least one.
    pub members: Vec<String>,
    /// What the keys of this store begin with, so that a cluster can hold others beside it.
    pub prefix: String,
    /// User and password, where the cluster wants them.
    pub credentials: Option<EtcdCredentials>,
    /// Certificates, for `https`.
    pub tls: Option<EtcdTls>,
}

/// A user of the cluster.
#[derive(Clone)]
pub struct EtcdCredentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Certificates in PEM.
#[derive(Clone, Default)]
pub struct EtcdTls {
    /// Who signs the members' certificates; none: the system's authorities are not asked, so a
    /// cluster with certificates of its own needs it.
    pub ca: Option<Vec<u8>>,
    /// This client's certificate and key, where the cluster wants them.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for EtcdCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdCredentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ca, identity } = self;
        f.debug_struct("EtcdTls")
            .field("ca", &ca.is_some())
            .field("identity", &identity.is_some())
            .finish()
    }
}

impl EtcdOptions {
    /// Members, and what the client is told about connecting.
    pub(super) fn into_parts(self) -> (Vec<String>, ConnectOptions) {
        let (interval, patience) = KEEP_ALIVE;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(interval, patience)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true);
        if let Some(EtcdCredentials { user, password }) = self.credentials {
            options = options.with_user(user, password).with_auto_token_refresh(true);
        }
        if let Some(EtcdTls { ca, identity }) = self.tls {
            let mut tls = TlsOptions::new();
            tls = ca.into_iter().fold(tls, |tls, ca| tls.ca_certificate(Certificate::from_pem(ca)));
            tls = identity.into_iter().fold(tls, |tls, (certificate, key)| {
                tls.identity(Identity::from_pem(certificate, key))
            });
            options = options.with_tls(tls);
        }
        (self.members, options)
    }
}
