//! Conditions that hold never, always, or otherwise than they read (rules C-03 to C-07, C-17).

use std::collections::BTreeMap;

use super::{
    CONDITION_KEY_CASE, CONDITION_KEY_NOT_CARRIED, CheckedStatement, FOR_ALL_ON_TAGS, Findings,
    MISSING_QUANTIFIER, NEGATED_MULTI_VALUE, Vocabulary, listed, matched,
};
use crate::lang::condition::{Condition, Kind, Quantifier, RESOURCE_TAG};
use crate::lang::document::Effect;
use crate::lang::findings::excerpt;
use crate::lang::validate::CheckedCondition;

/// The keys that every service may use, in their one right spelling (spec 3.5).
const GENERAL: [&str; 13] = [
    "mfa",
    "qcs:create_uin",
    "qcs:current_time",
    "qcs:except_cam_finance",
    "qcs:ip",
    "qcs:mfa",
    "qcs:owner_uin",
    "qcs:read_only_action",
    "qcs:request_tag",
    "qcs:resource_tag",
    "qcs:tag",
    "qcs:uin",
    "qcs:vpc",
];

/// The keys that hold several values, `key&value` each.
const TAGS: [&str; 2] = [RESOURCE_TAG, "qcs:request_tag"];

/// How many actions a finding names.
const NAMES_MAX: usize = 3;

/// Lints that need no catalog.
pub(super) fn lint(statement: &CheckedStatement, findings: &mut Findings) {
    for checked in &statement.conditions {
        let condition = &checked.condition;
        let operator = condition.operator();
        let text = excerpt(condition.key().text());
        if let Some(known) = misspelt(condition.key().text()) {
            findings.push(
                CONDITION_KEY_CASE
                    .at(checked.key, format!("`{text}` is not the general key `{known}`"))
                    .found(condition.key().text())
                    .expected(format!("`{known}`"))
                    .help(format!("condition keys are case-sensitive: write `{known}`")),
            );
        }
        if operator.negated && condition.operands().len() > 1 {
            let count = condition.operands().len();
            let message =
                format!("`{operator}` with {count} values holds when none of them is met");
            findings.push(NEGATED_MULTI_VALUE.note(checked.key, message));
        }
        let tags = TAGS.contains(&condition.key().canonical())
            && condition.key().tag_name().is_none()
            && operator.kind != Kind::Null;
        match operator.quantifier {
            None if tags => {
                let message =
                    format!("`{text}` has several values, and `{operator}` no quantifier");
                findings.push(
                    MISSING_QUANTIFIER
                        .note(checked.operator, message)
                        .found(&operator.to_string())
                        .expected(format!("`for_any_value:{operator}`")),
                );
            }
            Some(Quantifier::ForAllValue) if tags => {
                let message = format!("`{operator}` fails as soon as another tag is in `{text}`");
                findings.push(
                    FOR_ALL_ON_TAGS.at(checked.operator, message).found(&operator.to_string()),
                );
            }
            None | Some(Quantifier::ForAnyValue | Quantifier::ForAllValue) => {}
        }
    }
}

/// The general key that a key differs from only in case.
fn misspelt(key: &str) -> Option<&'static str> {
    GENERAL.into_iter().find(|known| *known != key && known.eq_ignore_ascii_case(key))
}

/// Keys that requests for some of the statement's actions cannot carry.
pub(super) fn lint_carried(
    statement: &CheckedStatement,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    let Some(effect) = &statement.effect else { return };
    if statement.conditions.is_empty() {
        return;
    }
    let mut actions = BTreeMap::new();
    for action in &statement.actions {
        for facts in matched(&action.value, vocabulary) {
            actions.insert((facts.service, facts.name), ());
        }
    }
    for checked in &statement.conditions {
        let misspelt = misspelt(checked.condition.key().text()).is_some();
        if misspelt || checked.condition.operator().kind == Kind::Null {
            continue;
        }
        let key = checked.condition.key().canonical();
        let without: Vec<(&str, &str)> = actions
            .keys()
            .filter(|(service, name)| !vocabulary.can_carry(service, name, key))
            .copied()
            .collect();
        if !without.is_empty() {
            let all = without.len() == actions.len();
            report(checked, effect.value, all, &without, findings);
        }
    }
}

/// Says what the missing key does: shut out, always deny, never deny, or not guard.
fn report(
    checked: &CheckedCondition,
    effect: Effect,
    all: bool,
    without: &[(&str, &str)],
    findings: &mut Findings,
) {
    let condition: &Condition = &checked.condition;
    let operator = condition.operator();
    let (consequence, locks_out) = match (effect, operator.if_exist) {
        (Effect::Allow, false) => ("are never allowed by this statement", true),
        (Effect::Allow, true) => ("are allowed whatever the condition says", false),
        (Effect::Deny, false) => ("are never denied by this statement", false),
        (Effect::Deny, true) => ("are always denied, whatever the condition says", true),
    };
    let names = listed(without.iter().copied(), NAMES_MAX);
    let key = excerpt(condition.key().text());
    let message = format!("requests for {names} do not carry `{key}`, so they {consequence}");
    let finding = if locks_out || all {
        CONDITION_KEY_NOT_CARRIED.at(checked.key, message)
    } else {
        CONDITION_KEY_NOT_CARRIED.note(checked.key, message)
    };
    findings.push(finding.found(condition.key().text()));
}
