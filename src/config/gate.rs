//! `[gate]` of the configuration: how the gate reads requests.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::InvalidSettings;
use crate::gate::{GateSettings, RawRoute, RouteTable};

/// Longest time that a gateway may be told to remember a decision: a detach must take hold soon.
const CACHE_MS_MAX: u64 = 60_000;
/// Longest time for one decision.
const DEADLINE_MS_MAX: u64 = 60_000;
/// Headers that can name nobody: they mean something else already.
const OTHER_HEADERS: [&str; 5] = ["authorization", "cookie", "host", "content-type", "x-tc-action"];

/// The table as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawGate {
    services: Vec<String>,
    trusted_identity_header: Option<String>,
    trusted_proxies: Vec<String>,
    action_headers: bool,
    applies_filter: bool,
    cache_ms: u64,
    deadline_ms: u64,
    routes: Vec<RawRoute>,
}

impl Default for RawGate {
    fn default() -> Self {
        let GateSettings {
            services, action_headers, applies_filter, cache_ms, deadline_ms, ..
        } = GateSettings::default();
        Self {
            services,
            trusted_identity_header: None,
            trusted_proxies: Vec::new(),
            action_headers,
            applies_filter,
            cache_ms,
            deadline_ms,
            routes: Vec::new(),
        }
    }
}

impl RawGate {
    /// The settings.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub(super) fn settings(&self) -> Result<GateSettings, InvalidSettings> {
        let refuse = |text: String| Err(InvalidSettings(text));
        let is_service = |it: &&String| {
            !it.is_empty() && it.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if let Some(service) = self.services.iter().find(|it| !is_service(it)) {
            return refuse(format!(
                "`gate.services` has `{service}`, expected abbreviations such as `im`"
            ));
        }
        let header = self.trusted_identity_header.as_ref().map(|it| it.to_ascii_lowercase());
        if let Some(header) = header.as_deref().filter(|it| !is_identity_header(it)) {
            return refuse(format!(
                "`gate.trusted_identity_header` is `{header}`, expected the name of a header of \
                 its own such as `x-auth-uin`"
            ));
        }
        for (key, value, limit) in [
            ("cache_ms", self.cache_ms, CACHE_MS_MAX),
            ("deadline_ms", self.deadline_ms, DEADLINE_MS_MAX),
        ] {
            if value > limit || (key == "deadline_ms" && value == 0) {
                return refuse(format!("`gate.{key}` is {value}, at most {limit} is accepted"));
            }
        }
        let routes = RouteTable::new(&self.routes);
        Ok(GateSettings {
            services: self.services.clone(),
            trusted_identity_header: header,
            trusted_proxies: self.proxies()?,
            action_headers: self.action_headers,
            applies_filter: self.applies_filter,
            cache_ms: self.cache_ms,
            deadline_ms: self.deadline_ms,
            routes: routes
                .map_err(|fault| InvalidSettings(format!("in `gate.routes`: {fault}")))?,
        })
    }

    fn proxies(&self) -> Result<Vec<IpNet>, InvalidSettings> {
        let parse = |text: &String| {
            let net = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
            net.map_err(|_| {
                InvalidSettings(format!(
                    "`gate.trusted_proxies` has `{text}`, expected addresses such as `10.0.0.5` or \
                     `10.0.0.0/8`"
                ))
            })
        };
        self.trusted_proxies.iter().map(parse).collect()
    }
}

fn is_identity_header(name: &str) -> bool {
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    is_name && !OTHER_HEADERS.contains(&name) && !name.starts_with("x-camgate-")
}
