//! How the gate reads requests, and the limits of what it reads.

use ipnet::IpNet;

use super::routes::RouteTable;

/// Longest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most headers of a request.
pub(super) const HEADERS_MAX: usize = 200;
/// Longest path, in bytes as sent.
pub(super) const PATH_BYTES_MAX: usize = 4 * 1024;
/// Most segments of a path.
pub(super) const PATH_SEGMENTS_MAX: usize = 64;
/// Most routes of a table.
pub(super) const ROUTES_MAX: usize = 1_000;
/// Most resources of one type that a call may name.
pub(super) const IDS_MAX: usize = 100;
/// Longest id of a resource, in bytes.
pub(super) const ID_BYTES_MAX: usize = 256;
/// Most tags that a call may carry.
pub(super) const TAGS_MAX: usize = 50;
/// Deepest level of a body at which ids are looked for; a deeper one is refused.
pub(super) const PARAM_DEPTH_MAX: usize = 32;

/// The settings of the gate: `[gate]` of the configuration.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// The services whose signed calls are let through, by their abbreviations; the service of a
    /// signature's scope must be one of them.
    pub services: Vec<String>,
    /// The header that names the caller, in lower case; only trusted proxies may send it. None: no
    /// header names anybody.
    pub trusted_identity_header: Option<String>,
    /// Where trusted proxies are: those that may set the identity header, and, besides this
    /// machine, those that may ask `/gate/v1/forward-auth`. Their entries in `X-Forwarded-For`
    /// are passed over.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether a proxy names action and resource in `X-Camgate-Action` and `X-Camgate-Resource`;
    /// it must then set both on every request. Off: the route table and the request say it.
    pub action_headers: bool,
    /// Whether the services behind the gate apply the filter of lists that comes in
    /// `X-Camgate-Filter` (rule F-03). A route may say otherwise.
    pub applies_filter: bool,
    /// How long a gateway may remember a decision, in milliseconds; 0: not at all.
    pub cache_ms: u64,
    /// Longest time for one decision, in milliseconds; a later one is refused.
    pub deadline_ms: u64,
    /// The routes of services whose requests do not name their action.
    pub routes: RouteTable,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            services: vec!["im".to_owned()],
            trusted_identity_header: None,
            trusted_proxies: Vec::new(),
            action_headers: false,
            applies_filter: false,
            cache_ms: 1_000,
            deadline_ms: 2_000,
            routes: RouteTable::default(),
        }
    }
}

impl GateSettings {
    /// Whether a trusted proxy has this address.
    #[must_use]
    pub fn is_trusted_proxy(&self, address: std::net::IpAddr) -> bool {
        // `::ffff:10.0.0.1` is 10.0.0.1.
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}
