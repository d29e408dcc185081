//! The keys that name an OpenTelemetry collector, in whatever section they are.

use std::path::Path;

use super::InvalidSettings;

/// That an address and its authority's certificate go together; `key` is the address's, `ca_key`
/// the certificate's.
///
/// # Errors
/// When they do not.
pub(super) fn check(
    (key, ca_key): (&str, &str),
    endpoint: Option<&str>,
    ca_file: Option<&Path>,
) -> Result<(), InvalidSettings> {
    let Some(endpoint) = endpoint else {
        return match ca_file {
            None => Ok(()),
            Some(_) => Err(InvalidSettings(format!(
                "`{ca_key}` is set, and `{key}` is not: set the collector's address, such as \
                 `https://collector.example:4317`"
            ))),
        };
    };
    let problem = match (endpoint.split_once("://").map(|(scheme, _)| scheme), ca_file) {
        (Some("http"), None) | (Some("https"), Some(_)) => return Ok(()),
        (Some("http"), Some(_)) => format!(
            "`{ca_key}` is set, and `{key}` is `{endpoint}`, which is reached without TLS: write \
             `https://`, or leave the file away"
        ),
        (Some("https"), None) => format!(
            "`{key}` is `{endpoint}`, and `{ca_key}` is not set: name the file with the \
             certificate of who signs the collector's"
        ),
        (Some(_) | None, _) => {
            format!("`{key}` is `{endpoint}`, expected a URL such as `http://127.0.0.1:4317`")
        }
    };
    Err(InvalidSettings(problem))
}
