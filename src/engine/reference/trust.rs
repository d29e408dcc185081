//! Trust policies by the letter of rules D-22 and D-23, from their text.

use super::condition::{Test, test};
use super::matching::action_matches;
use crate::catalog::{Catalog, read_only_action};
use crate::engine::{
    CallerKind, PolicyBody, PolicyInput, TrustCaller, TrustReason, TrustRequest, TrustVerdict,
};
use crate::lang::condition::{ContextValue, Facts as _};
use crate::lang::document::{Effect, PrincipalText};
use crate::lang::number::Number;
use crate::lang::variable::Variables;

/// The verdict, read plainly.
#[must_use]
pub fn trusts(policy: &PolicyInput, catalog: &Catalog, request: &TrustRequest) -> TrustVerdict {
    let verdict = |reason, determining, errors| TrustVerdict { reason, determining, errors };
    let PolicyBody::Valid(valid) = &policy.body else {
        return verdict(TrustReason::Unreadable, Vec::new(), Vec::new());
    };
    let TrustRequest { caller, action, .. } = request;
    let variables = Variables { uin: caller.uin, owner: caller.owner };
    let (mut acting, mut errors) = (Vec::new(), Vec::new());
    for (index, text) in valid.document().statements().iter().enumerate() {
        let effect = text.effect.value;
        let by_name = text.principal.as_ref().is_some_and(|it| names(&it.value, caller));
        let by_action =
            text.actions.iter().any(|it| action_matches(&it.value, effect, action, catalog));
        let tests: Vec<Test> = text
            .conditions
            .iter()
            .map(|it| test(it, &|key| fact(key, catalog, request), &variables))
            .collect();
        if !by_name || !by_action || tests.contains(&Test::False) {
            continue;
        }
        let places = tests.iter().enumerate().filter(|(_, test)| **test == Test::Error);
        let unclear: Vec<_> = places.map(|(place, _)| (index, place)).collect();
        // rule C-22
        if unclear.is_empty() || effect == Effect::Deny {
            acting.push((index, effect));
        }
        errors.extend(unclear);
    }
    let of = |effect| {
        acting.iter().filter(move |(_, it)| *it == effect).map(|(index, _)| *index).collect()
    };
    let (allows, denies): (Vec<usize>, Vec<usize>) = (of(Effect::Allow), of(Effect::Deny));
    match (allows.is_empty(), denies.is_empty()) {
        (_, false) => verdict(TrustReason::ExplicitDeny, denies, errors),
        (true, true) => verdict(TrustReason::NotTrusted, Vec::new(), errors),
        (false, true) => verdict(TrustReason::Trusted, allows, errors),
    }
}

/// Rule D-22, by comparing texts.
fn names(principal: &PrincipalText, caller: &TrustCaller) -> bool {
    let PrincipalText::Listed(listed) = principal else { return true };
    let owner = caller.owner.uin;
    let mut own = vec!["qcs::cam::anyone:anyone".to_owned()];
    let mut last = vec!["root".to_owned()];
    match &caller.kind {
        CallerKind::User { groups } => {
            last.push(format!("uin/{}", caller.uin));
            last.extend(groups.iter().map(|id| format!("groupid/{id}")));
        }
        CallerKind::Role { name } => {
            last.extend([format!("role/{}", caller.uin), format!("roleName/{name}")]);
        }
    }
    own.extend(last.into_iter().map(|last| format!("qcs::cam::uin/{owner}:{last}")));
    listed.iter().any(|(kind, name)| kind.value == "qcs" && own.contains(&name.value))
}

fn fact(key: &str, catalog: &Catalog, request: &TrustRequest) -> Vec<ContextValue> {
    let TrustRequest { caller, action, context, now } = request;
    let number = |value: u64| vec![ContextValue::Number(Number::from(value))];
    let sent = context.values(key).unwrap_or_default().to_vec();
    match key {
        "qcs:uin" => number(caller.uin),
        "qcs:owner_uin" => number(caller.owner.uin),
        "qcs:read_only_action" => number(u64::from(read_only_action(action.name()))),
        "qcs:except_cam_finance" => {
            number(u64::from(catalog.except_cam_finance(action.service(), action.name())))
        }
        "qcs:current_time" if sent.is_empty() => vec![ContextValue::Text(now.to_string())],
        _ => sent,
    }
}
