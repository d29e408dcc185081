//! Resource texts: six segments, and the owner's own only (rules, V-02).

use super::{
    ErrorCode, FULL_WIDTH_COLON, FULL_WIDTH_HELP, Finding, Findings, ResourcePattern, Scope,
    Spanned, text_error,
};
use crate::lang::resource::{Account, AccountPattern, ResourceFault};
use crate::lang::variable::Owner;

const EXPECTED: &str = "`*` or `qcs::service:region:account:resource`";

/// Reads one resource; none when it is refused by its grammar.
pub(super) fn check(
    text: &Spanned<String>,
    scope: Option<&Scope<'_>>,
    findings: &mut Findings,
) -> Option<Spanned<ResourcePattern>> {
    let pattern = match ResourcePattern::parse(&text.value) {
        Ok(pattern) => pattern,
        Err(fault) => {
            findings.push(explain(text, &fault));
            return None;
        }
    };
    let owner = scope.and_then(|scope| scope.owner);
    if let (Some(owner), Some(segments)) = (owner, pattern.segments()) {
        check_owner(text, segments.account, owner, findings);
    }
    Some(Spanned { value: pattern, span: text.span })
}

fn explain(text: &Spanned<String>, fault: &ResourceFault) -> Finding {
    if text.value.is_empty() {
        return text_error(ErrorCode::ResourceQcsError, text, "resource", "is empty")
            .expected(EXPECTED)
            .help("write `*` for all");
    }
    let (code, expected, help) = advice(text, fault);
    let wrong = match fault {
        ResourceFault::Variable(fault) => format!("has a wrong variable: {fault}"),
        ResourceFault::TooLong { .. }
        | ResourceFault::Segments(_)
        | ResourceFault::NotQcs(_)
        | ResourceFault::Project(_)
        | ResourceFault::Service(_)
        | ResourceFault::Region(_)
        | ResourceFault::Account(_)
        | ResourceFault::Content => fault.to_string(),
    };
    text_error(code, text, "resource", &wrong).expected(expected).help(help)
}

/// The code of a fault, what was expected, and what to do.
fn advice(
    text: &Spanned<String>,
    fault: &ResourceFault,
) -> (ErrorCode, &'static str, &'static str) {
    const VARIABLES: &str =
        "variables may stand only in the last segment; an empty account is the policy's own";
    let variable = |segment: &str, otherwise: &'static str| {
        if segment.contains("${") { VARIABLES } else { otherwise }
    };
    match fault {
        ResourceFault::NotQcs(_) | ResourceFault::Segments(_)
            if text.value.contains(FULL_WIDTH_COLON) =>
        {
            (ErrorCode::ResourceQcsError, EXPECTED, FULL_WIDTH_HELP)
        }
        ResourceFault::TooLong { .. } => {
            (ErrorCode::ResourceError, EXPECTED, "shorten it with `*`")
        }
        ResourceFault::Segments(_) => (
            ErrorCode::ResourceQcsError,
            EXPECTED,
            "segments are separated by `:` and may be empty, but for `qcs` and the last",
        ),
        ResourceFault::NotQcs(_) => (
            ErrorCode::ResourceQcsError,
            EXPECTED,
            "write `*` for all, or e.g. `qcs::im:::sdkappid/1400000001`",
        ),
        ResourceFault::Project(segment) => (
            ErrorCode::ResourceProjectError,
            "an empty project segment",
            variable(segment, "leave the segment after `qcs:` empty: `qcs::`"),
        ),
        ResourceFault::Service(segment) => (
            ErrorCode::ResourceServiceNotExist,
            "a service's abbreviation in lower case, or nothing for all services",
            variable(segment, "write e.g. `im`"),
        ),
        ResourceFault::Region(segment) => (
            ErrorCode::ResourceRegionError,
            "a region like `ap-guangzhou`, or nothing for all regions",
            variable(segment, "leave it empty, or name one region"),
        ),
        ResourceFault::Account(segment) => (
            ErrorCode::ResourceUinError,
            "nothing, `uin/<uin>`, `uid/<APPID>` or `*`",
            variable(segment, "leave it empty to mean the policy's own account"),
        ),
        ResourceFault::Content => (
            ErrorCode::ResourceContentError,
            "a last segment like `sdkappid/1400000001` or `*`",
            "name the resource, or write `*` for all of the service",
        ),
        ResourceFault::Variable(_) => (
            ErrorCode::ResourceContentError,
            "`${uin}`, `${owner_uin}` or `${app_id}`",
            "`${` begins a variable; no other names are known",
        ),
    }
}

/// Rule R-11.
fn check_owner(
    text: &Spanned<String>,
    account: AccountPattern,
    owner: Owner,
    findings: &mut Findings,
) {
    let foreign = match account {
        AccountPattern::Any | AccountPattern::One(Account::Empty) => false,
        AccountPattern::One(Account::Uin(uin)) => uin != owner.uin,
        AccountPattern::One(Account::AppId(app_id)) => app_id != owner.app_id,
    };
    if foreign {
        let fault = "belongs to another root account";
        findings.push(
            text_error(ErrorCode::ResourceUinError, text, "resource", fault)
                .expected(format!(
                    "nothing, `uin/{}`, `uid/{}` or `*` as account",
                    owner.uin, owner.app_id
                ))
                .help("a policy speaks of its own account; leave the account segment empty"),
        );
    }
}
