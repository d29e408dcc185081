//! The names in a trust policy's `principal` (rule L-08, spec 1.1).

use super::{ErrorCode, Findings, Spanned, text_error};
use crate::lang::document::PrincipalText;
use crate::lang::resource::{Account, ResourceName};

const ANYONE: &str = "qcs::cam::anyone:anyone";

/// Checks every name of a principal.
pub(super) fn check(principal: &Spanned<PrincipalText>, findings: &mut Findings) {
    let PrincipalText::Listed(names) = &principal.value else { return };
    for (kind, name) in names {
        let (code, fine, expected) = match kind.value.as_str() {
            "qcs" => (
                ErrorCode::PrincipalQcsError,
                name.value == ANYONE || cam_resource(&name.value).is_some_and(is_identity),
                "`qcs::cam::uin/<owner>:root`, `…:uin/<sub-account>`, `…:groupid/<id>` or a role",
            ),
            "service" => (
                ErrorCode::PrincipalError,
                is_service_name(&name.value),
                "a service's domain name, e.g. `cls.cloud.tencent.com`",
            ),
            _ => (
                ErrorCode::PrincipalError,
                cam_resource(&name.value).is_some_and(is_provider),
                "`qcs::cam::uin/<owner>:oidc-provider/<name>` or `…:saml-provider/<name>`",
            ),
        };
        if !fine {
            let finding = text_error(code, name, "principal", "is not of a known form");
            findings.push(finding.expected(expected));
        }
    }
}

/// The last segment of `qcs::cam::uin/<owner>:…`.
fn cam_resource(text: &str) -> Option<String> {
    let name = ResourceName::parse(text).ok()?;
    let owned = matches!(name.account(), Account::Uin(_));
    (name.service() == "cam" && name.region().is_empty() && owned)
        .then(|| name.resource().to_owned())
}

fn is_identity(resource: String) -> bool {
    match resource.split_once('/') {
        Some(("uin" | "groupid" | "role", id)) => {
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
        }
        Some(("roleName", name)) => !name.is_empty() && !name.contains('*'),
        Some(_) => false,
        None => resource == "root",
    }
}

fn is_provider(resource: String) -> bool {
    matches!(
        resource.split_once('/'),
        Some(("oidc-provider" | "saml-provider", name)) if !name.is_empty() && !name.contains('*')
    )
}

fn is_service_name(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}
