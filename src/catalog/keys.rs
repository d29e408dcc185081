//! What the catalog says about condition keys: the two derived ones, and which action can carry
//! which key.
//!
//! Values for decisions (rules D-16, D-19) and facts for lints. Keys are in canonical spelling.

use super::index::Catalog;
use super::service::{Action, Service};
use crate::lang::vocabulary::Granularity;

/// The name prefixes of actions that only read (rule D-16).
const READ_PREFIXES: [&str; 16] = [
    "Check",
    "List",
    "Describe",
    "Search",
    "Get",
    "BatchGet",
    "Query",
    "BatchQuery",
    "Download",
    "Export",
    "View",
    "Inquiry",
    "Inquire",
    "Compare",
    "Verify",
    "Validate",
];

/// The services whose actions `qcs:except_cam_finance` is 0 for (rule D-19).
const CAM: &str = "cam";
const FINANCE: [&str; 2] = ["finance", "billing"];

/// Whether an action of this name, catalogued or not, is read-only: the value of the condition key
/// `qcs:read_only_action` (rule D-16). The prefixes are compared case-sensitively.
#[must_use]
pub fn read_only_action(name: &str) -> bool {
    READ_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

impl Catalog {
    /// The value of the condition key `qcs:except_cam_finance` (rule D-19): whether the action
    /// `service:name` is neither about access management nor about money.
    #[must_use]
    pub fn except_cam_finance(&self, service: &str, name: &str) -> bool {
        if service == CAM {
            return self.action(service, name).is_some_and(|action| action.except_cam_finance);
        }
        !FINANCE.contains(&service)
    }
}

/// Whether a request for `action` of `service` can carry the condition key.
pub(super) fn can_carry(service: &Service, action: &Action, key: &str) -> bool {
    let Some((namespace, name)) = key.split_once(':') else {
        return true;
    };
    if namespace != "qcs" {
        // Keys made from AuthZEN properties may accompany any request.
        return namespace == "authzen"
            || namespace == &*service.abbreviation
            || service.key_namespaces.iter().any(|it| &**it == namespace);
    }
    match name {
        "ip" => action.ip_support,
        "request_tag" => action.request_tags,
        "resource_tag" | "tag" => carries_resource_tags(action),
        _ if name.starts_with("tag/") => carries_resource_tags(action),
        _ => true,
    }
}

fn carries_resource_tags(action: &Action) -> bool {
    match action.granularity {
        Granularity::Resource | Granularity::List => action.tag_support,
        // Asked about `*`, which has no tags.
        Granularity::Operation => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_action_goes_by_prefix() {
        // rule D-16
        for name in ["DescribeSecret", "ExportAccount", "BatchQueryX", "Get", "VerifySig"] {
            assert!(read_only_action(name), "{name}");
        }
        for name in ["SetConfInfo", "describeSecret", "CanIntelligentCallTrail", "BatchSet", ""] {
            assert!(!read_only_action(name), "{name}");
        }
    }

    #[test]
    fn except_cam_finance_spares_only_the_exempted_cam_actions() {
        // rule D-19
        let catalog = Catalog::builtin();
        for (service, name, expected) in [
            ("im", "SetConfInfo", true),
            ("nosuch", "Anything", true),
            ("cam", "CreateGroup", true),
            ("cam", "AddUserToGroup", true),
            ("cam", "CreatePolicy", false),
            ("cam", "NoSuchAction", false),
            ("finance", "Pay", false),
            ("billing", "DescribeBillDetail", false),
        ] {
            assert_eq!(catalog.except_cam_finance(service, name), expected, "{service}:{name}");
        }
    }
}
