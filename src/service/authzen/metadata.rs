//! The metadata: where the endpoints are. Its URLs come from the configuration, never from a
//! request's `Host`.

use serde_json::{Value, json};

const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

/// The paths at which the document stands: the well-known one, and the one that has the base URL's
/// own path behind it.
pub(super) fn paths(base_url: &str) -> Vec<String> {
    let mut paths = vec![WELL_KNOWN.to_owned()];
    let after_scheme = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    if let Some((_, path)) = after_scheme.split_once('/') {
        let path = path.trim_end_matches('/');
        if !path.is_empty() {
            paths.push(format!("{WELL_KNOWN}/{path}"));
        }
    }
    paths
}

/// The document.
pub(super) fn document(base_url: &str) -> Value {
    let base = base_url.trim_end_matches('/');
    json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
        "search_subject_endpoint": format!("{base}/access/v1/search/subject"),
        "search_resource_endpoint": format!("{base}/access/v1/search/resource"),
        "search_action_endpoint": format!("{base}/access/v1/search/action"),
    })
}
