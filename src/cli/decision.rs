//! Decisions and explanations, shown: JSON for programs, words for people.

use serde_json::{Value, json};

use super::answer::{Answer, ExitStatus};
use super::view;
use crate::service::proto;

/// Most statements about other actions that are listed one by one.
const FAR_SHOWN_MAX: usize = 6;

/// A decision as the answer of `check`.
#[must_use]
pub fn check(decision: &proto::Decision) -> Answer {
    Answer::new(decision_json(decision), decision_text(decision).join("\n"))
        .with_status(status(decision))
}

/// An explanation as the answer of `explain`.
#[must_use]
pub fn explanation(response: &proto::ExplainResponse) -> Answer {
    let decision = response.decision.clone().unwrap_or_default();
    let mut lines = decision_text(&decision);
    for trace in &response.traces {
        lines.push(String::new());
        let resource = if trace.resource.is_empty() { "*" } else { trace.resource.as_str() };
        lines.push(format!("{resource}: {}", view::outcome(trace.outcome)));
        if trace.statements.is_empty() {
            lines.push("  no statement applies to this principal".to_owned());
        }
        lines.extend(statement_lines(&trace.statements));
    }
    if !response.missing_keys.is_empty() {
        lines.push(String::new());
        lines.push(format!(
            "context keys that conditions asked for and the request lacks: {}",
            response.missing_keys.join(", ")
        ));
    }
    let traces: Vec<_> = response.traces.iter().map(trace_json).collect();
    let json = json!({
        "decision": decision_json(&decision),
        "traces": traces,
        "missing_keys": response.missing_keys,
        "summary": response.summary,
    });
    Answer::new(json, lines.join("\n")).with_status(status(&decision))
}

/// One line for each statement; of many that name other actions only their number.
fn statement_lines(statements: &[proto::StatementTrace]) -> Vec<String> {
    let is_far =
        |it: &&proto::StatementTrace| it.result == i32::from(proto::StatementResult::ActionDiffers);
    let far = statements.iter().filter(is_far).count();
    if far <= FAR_SHOWN_MAX {
        return statements.iter().map(statement_text).collect();
    }
    let near = statements.iter().filter(|it| !is_far(it));
    let mut lines: Vec<_> = near.map(statement_text).collect();
    lines.push(format!("  {far} statements name other actions"));
    lines
}

fn status(decision: &proto::Decision) -> ExitStatus {
    match proto::Outcome::try_from(decision.outcome) {
        Ok(proto::Outcome::Allow) => ExitStatus::Fine,
        Ok(proto::Outcome::Deny) => ExitStatus::Denied,
        Ok(proto::Outcome::Unspecified) | Err(_) => ExitStatus::CannotTell,
    }
}

fn decision_text(decision: &proto::Decision) -> Vec<String> {
    let layer = view::layer(decision.layer);
    let reason = view::reason(decision.reason);
    let why = if layer.is_empty() { reason } else { format!("{reason}, layer {layer}") };
    let mut lines = vec![format!("{} ({why})", view::outcome(decision.outcome))];
    if status(decision) != ExitStatus::Fine {
        lines.push(format!("  {}", decision.meaning));
    }
    for by in &decision.determining {
        lines.push(format!(
            "  {} by policy {} version {}, statement {} (layer {})",
            view::effect(by.effect),
            by.policy_name,
            by.policy_version,
            by.statement,
            view::layer(by.layer)
        ));
    }
    for error in &decision.errors {
        let place = match error.statement {
            Some(statement) => format!("statement {statement} of policy {}", error.policy_name),
            None => format!("policy {}", error.policy_name),
        };
        lines.push(format!("  cannot evaluate {place}: {}", error.message));
    }
    if let Some(filter) = &decision.filter {
        if filter.all {
            lines.push("  filter: every app of the account".to_owned());
        } else {
            lines.push("  filter: show these and no others".to_owned());
            lines.extend(filter.resources.iter().map(|name| format!("    {name}")));
        }
    }
    lines.extend(decision.notes.iter().map(|note| format!("  note: {note}")));
    lines
}

/// A decision for programs.
#[must_use]
pub fn decision_json(decision: &proto::Decision) -> Value {
    let determining: Vec<_> = decision
        .determining
        .iter()
        .map(|by| {
            json!({
                "layer": view::layer(by.layer),
                "effect": view::effect(by.effect),
                "policy_id": by.policy_id,
                "policy_name": by.policy_name,
                "policy_version": by.policy_version,
                "statement": by.statement,
            })
        })
        .collect();
    let errors: Vec<_> = decision
        .errors
        .iter()
        .map(|error| {
            json!({
                "layer": view::layer(error.layer),
                "policy_id": error.policy_id,
                "policy_name": error.policy_name,
                "policy_version": error.policy_version,
                "statement": error.statement,
                "message": error.message,
            })
        })
        .collect();
    let filter = decision
        .filter
        .as_ref()
        .map(|filter| json!({ "all": filter.all, "resources": filter.resources }));
    json!({
        "outcome": view::outcome(decision.outcome),
        "reason": view::reason(decision.reason),
        "layer": view::layer(decision.layer),
        "determining": determining,
        "errors": errors,
        "filter": filter,
        "notes": decision.notes,
        "meaning": decision.meaning,
        "revision": decision.revision,
        "decision_id": decision.decision_id,
        "owner_uin": decision.owner_uin,
    })
}

fn result_word(value: i32) -> String {
    proto::StatementResult::try_from(value)
        .map_or_else(|_| String::new(), |r| view::word(r.as_str_name(), "STATEMENT_RESULT"))
}

fn statement_text(trace: &proto::StatementTrace) -> String {
    let result = match proto::StatementResult::try_from(trace.result) {
        Ok(proto::StatementResult::Matched) => "matches".to_owned(),
        Ok(proto::StatementResult::ActionDiffers) => "names other actions".to_owned(),
        Ok(proto::StatementResult::ResourceDiffers) => "names other resources".to_owned(),
        Ok(proto::StatementResult::ConditionFalse) if trace.key_missing => {
            format!("needs `{}`, and the request has no such key", trace.condition)
        }
        Ok(proto::StatementResult::ConditionFalse) => {
            format!("needs `{}`, and the request has {}", trace.condition, seen(&trace.seen))
        }
        Ok(proto::StatementResult::ConditionError) => {
            format!("cannot evaluate `{}`: {}", trace.condition, trace.message)
        }
        Ok(proto::StatementResult::Unspecified) | Err(_) => trace.message.clone(),
    };
    let via = if trace.via.is_empty() { String::new() } else { format!(", {}", trace.via) };
    format!(
        "  {} in policy {} version {}, statement {} ({}{via}): {result}",
        view::effect(trace.effect),
        trace.policy_name,
        trace.policy_version,
        trace.statement,
        view::layer(trace.layer),
    )
}

fn seen(values: &[String]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

fn trace_json(trace: &proto::ResourceTrace) -> Value {
    let statements: Vec<_> = trace
        .statements
        .iter()
        .map(|statement| {
            json!({
                "layer": view::layer(statement.layer),
                "via": statement.via,
                "policy_id": statement.policy_id,
                "policy_name": statement.policy_name,
                "policy_version": statement.policy_version,
                "statement": statement.statement,
                "effect": view::effect(statement.effect),
                "result": result_word(statement.result),
                "condition": statement.condition,
                "seen": statement.seen,
                "key_missing": statement.key_missing,
                "message": statement.message,
            })
        })
        .collect();
    json!({
        "resource": trace.resource,
        "outcome": view::outcome(trace.outcome),
        "statements": statements,
    })
}
