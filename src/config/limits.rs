//! `[limits]` of the configuration: what the server takes on at a time.

use serde::{Deserialize, Serialize};

use super::{InvalidSettings, size};
use crate::service::LimitSettings;

/// More connections and calls than any machine has room for are no limit.
const COUNTS: (u64, u64) = (1, 10_000_000);
/// What every client sends by itself and a token, and many times that.
const METADATA_BYTES: (u64, u64) = (4 * 1024, 1 << 20);
/// More than the course of things on a busy machine, and a day.
const TIMES_MS: (u64, u64) = (10, 86_400_000);

/// `[limits]` as written; what is absent has its default.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    grpc_connections_max: Option<u64>,
    http_connections_max: Option<u64>,
    calls_per_connection_max: Option<u64>,
    checks_max: Option<u64>,
    batches_max: Option<u64>,
    administration_max: Option<u64>,
    streams_max: Option<u64>,
    open_calls_max: Option<u64>,
    buffer_bytes_max: Option<String>,
    metadata_bytes_max: Option<u64>,
    call_ms_max: Option<u64>,
    message_wait_ms_max: Option<u64>,
    unread_ms_max: Option<u64>,
    keepalive_interval_ms: Option<u64>,
    keepalive_wait_ms_max: Option<u64>,
    handshake_ms_max: Option<u64>,
    http_headers_ms_max: Option<u64>,
}

impl RawLimits {
    /// The settings.
    ///
    /// # Errors
    /// When one is so small or so large that nothing could be served, or nothing limited.
    pub(super) fn settings(&self) -> Result<LimitSettings, InvalidSettings> {
        let mut it = LimitSettings::default();
        macro_rules! set {
            ($bounds:ident: $($key:ident)*) => {
                $(set(&mut it.$key, stringify!($key), self.$key, $bounds)?;)*
            };
        }
        set!(COUNTS: grpc_connections_max http_connections_max calls_per_connection_max checks_max);
        set!(COUNTS: batches_max administration_max streams_max open_calls_max);
        set!(METADATA_BYTES: metadata_bytes_max);
        set!(TIMES_MS: call_ms_max message_wait_ms_max unread_ms_max keepalive_interval_ms);
        set!(TIMES_MS: keepalive_wait_ms_max handshake_ms_max http_headers_ms_max);
        if let Some(text) = &self.buffer_bytes_max {
            it.buffer_bytes_max = size::read("limits.buffer_bytes_max", text)?;
        }
        Ok(it)
    }
}

/// Sets what is written, if it is within bounds.
fn set<T: TryFrom<u64>>(
    place: &mut T,
    key: &str,
    written: Option<u64>,
    bounds: (u64, u64),
) -> Result<(), InvalidSettings> {
    let Some(number) = written else { return Ok(()) };
    let (min, max) = bounds;
    let fits = (min..=max).contains(&number).then(|| T::try_from(number).ok()).flatten();
    *place = fits.ok_or_else(|| {
        InvalidSettings(format!("`limits.{key}` is {number}, expected {min} to {max}"))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<LimitSettings, String> {
        let settings =
            crate::config::Settings::merge(Some(("x.toml", toml)), Default::default(), vec![]);
        settings.map(|settings| settings.limits).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_absent_has_its_default_and_the_rest_its_value() {
        assert_eq!(read("").unwrap(), LimitSettings::default());
        let text = "[limits]\nchecks_max = 7\nbuffer_bytes_max = \"64MiB\"\nunread_ms_max = 500\n\
                    calls_per_connection_max = 9";
        let expected = LimitSettings {
            checks_max: 7,
            buffer_bytes_max: 64 << 20,
            unread_ms_max: 500,
            calls_per_connection_max: 9,
            ..LimitSettings::default()
        };
        assert_eq!(read(text).unwrap(), expected);
        let environment = [("CAMGATE_LIMITS__CHECKS_MAX".to_owned(), "8".to_owned())];
        let settings = crate::config::Settings::merge(None, environment.into(), vec![]).unwrap();
        assert_eq!(settings.limits.checks_max, 8);
    }

    #[test]
    fn limits_that_would_serve_nothing_are_refused() {
        for (toml, expected) in [
            ("checks_max = 0", "`limits.checks_max` is 0, expected 1 to 10000000"),
            ("unread_ms_max = 1", "`limits.unread_ms_max` is 1, expected 10 to 86400000"),
            (
                "metadata_bytes_max = 100",
                "`limits.metadata_bytes_max` is 100, expected 4096 to 1048576",
            ),
            ("calls_per_connection_max = 99999999999", "`limits.calls_per_connection_max` is"),
            ("buffer_bytes_max = \"1\"", "`limits.buffer_bytes_max` is `1`"),
            ("check_max = 1", "unknown setting `limits.check_max`; did you mean `checks_max`?"),
        ] {
            let told = read(&format!("[limits]\n{toml}")).unwrap_err();
            assert!(told.contains(expected), "{toml}: {told}");
        }
    }
}
