//! The names in a trust policy's `principal` (rule L-08, spec 1.1).

use super::{ErrorCode, Findings, Spanned, text_error};
use crate::lang::document::PrincipalText;
use crate::lang::principal::{TrustPrincipal, cam_resource};

/// Checks every name of a principal, and gives those that are fine.
pub(super) fn check(
    principal: &Spanned<PrincipalText>,
    findings: &mut Findings,
) -> Vec<TrustPrincipal> {
    let PrincipalText::Listed(names) = &principal.value else {
        return vec![TrustPrincipal::Anyone];
    };
    let mut checked = Vec::new();
    for (kind, name) in names {
        let elsewhere = |is_fine: bool| is_fine.then_some(TrustPrincipal::Elsewhere);
        let (code, read, expected) = match kind.value.as_str() {
            "qcs" => (
                ErrorCode::PrincipalQcsError,
                TrustPrincipal::parse_qcs(&name.value),
                "`qcs::cam::uin/<owner>:root`, `…:uin/<sub-account>`, `…:groupid/<id>` or a role",
            ),
            "service" => (
                ErrorCode::PrincipalError,
                elsewhere(is_service_name(&name.value)),
                "a service's domain name, e.g. `cls.cloud.tencent.com`",
            ),
            _ => (
                ErrorCode::PrincipalError,
                elsewhere(cam_resource(&name.value).is_some_and(|(_, it)| is_provider(&it))),
                "`qcs::cam::uin/<owner>:oidc-provider/<name>` or `…:saml-provider/<name>`",
            ),
        };
        match read {
            Some(principal) => checked.push(principal),
            None => {
                let finding = text_error(code, name, "principal", "is not of a known form");
                findings.push(finding.expected(expected));
            }
        }
    }
    checked
}

fn is_provider(resource: &str) -> bool {
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
