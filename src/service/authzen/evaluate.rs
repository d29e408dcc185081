//! One decision, and several.

use serde_json::{Map, Value, json};

use super::entity::{Action, Entity, object, optional};
use super::{Authzen, EVALUATIONS_MAX, Fault};
use crate::engine::{Outcome, Reason};
use crate::gate::form::{FormValue, Members};
use crate::node::{Access, Asking, BatchQuery, CheckQuery, Surface};

/// When several decisions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Semantic {
    All,
    FirstDeny,
    FirstPermit,
}

impl Authzen {
    /// One decision.
    pub(super) async fn evaluation(
        &self,
        access: &Access,
        members: &Members,
    ) -> Result<Value, Fault> {
        let mut batch = self.node.begin(Asking::by(Surface::Authzen, access), None).await?;
        self.evaluate(&mut batch, members).await
    }

    /// Several decisions at one revision, in order; without any, the top level is one.
    pub(super) async fn evaluations(
        &self,
        access: &Access,
        members: &Members,
    ) -> Result<Value, Fault> {
        let semantic = semantic(members)?;
        let entries = match members.get("evaluations") {
            None | Some(FormValue::Null) => return self.evaluation(access, members).await,
            Some(FormValue::List(entries)) if entries.is_empty() => {
                return self.evaluation(access, members).await;
            }
            Some(FormValue::List(entries)) => entries,
            Some(_) => return Err(Fault::kind("evaluations", "a list of objects")),
        };
        if entries.len() > EVALUATIONS_MAX {
            let actual = entries.len();
            return Err(Fault::bad(format!(
                "`evaluations` has {actual} entries; at most {EVALUATIONS_MAX} are accepted"
            )));
        }
        check_defaults(members)?;
        let mut batch = self.node.begin(Asking::by(Surface::Authzen, access), None).await?;
        let mut answers = Vec::with_capacity(entries.len());
        for entry in entries {
            let answer = match merged(members, entry) {
                Ok(merged) => self.evaluate(&mut batch, &merged).await,
                Err(fault) => Err(fault),
            };
            let answer =
                answer.unwrap_or_else(|fault| json!({"decision": false, "context": fault.body()}));
            let decision = answer.get("decision").and_then(Value::as_bool).unwrap_or(false);
            answers.push(answer);
            let is_last = match semantic {
                Semantic::All => false,
                Semantic::FirstDeny => !decision,
                Semantic::FirstPermit => decision,
            };
            if is_last {
                break;
            }
        }
        Ok(json!({"evaluations": answers}))
    }

    async fn evaluate(&self, batch: &mut BatchQuery, members: &Members) -> Result<Value, Fault> {
        let subject = Entity::read(object(members, "subject")?, "subject", false)?;
        let action = Action::read(object(members, "action")?)?;
        let resource = Entity::read(object(members, "resource")?, "resource", false)?;
        let context = optional(members, "", "context")?;
        let query_action = self.action_name(action)?;
        let query_resource = self.resource(resource)?;
        let context = Self::facts(context, subject, Some(action), resource)?;
        let asker = self.asker(subject).await?.unwrap_or_else(|| self.nobody());
        let query = CheckQuery {
            asker,
            action: query_action,
            resource: query_resource,
            context,
            accepts_filter: false,
        };
        let decided = self.node.check(batch, query).await?;
        let mut more = Map::from_iter([
            ("decision_id".to_owned(), json!(decided.decision_id)),
            ("revision".to_owned(), json!(self.node.token(decided.revision))),
        ]);
        mark_stale(&mut more, decided.stale_ms);
        Ok(answer(decided.decision.reason, more))
    }
}

/// Says how old an answer may be, when it may be.
pub(super) fn mark_stale(context: &mut Map<String, Value>, stale_ms: u64) {
    if stale_ms > 0 {
        context.insert("stale_ms".to_owned(), json!(stale_ms));
    }
}

/// The answer, with why in its context.
fn answer(reason: Reason, mut context: Map<String, Value>) -> Value {
    context.insert("reason".to_owned(), json!(reason.as_str()));
    if let Some(layer) = reason.layer() {
        context.insert("layer".to_owned(), json!(layer.as_str()));
    }
    context.insert("reason_user".to_owned(), json!({"en": reason.meaning()}));
    json!({"decision": reason.outcome() == Outcome::Allow, "context": context})
}

fn semantic(members: &Members) -> Result<Semantic, Fault> {
    let Some(options) = optional(members, "", "options")? else { return Ok(Semantic::All) };
    match options.get("evaluations_semantic") {
        None | Some(FormValue::Null) => Ok(Semantic::All),
        Some(FormValue::Text(text)) => match text.as_str() {
            "execute_all" => Ok(Semantic::All),
            "deny_on_first_deny" => Ok(Semantic::FirstDeny),
            "permit_on_first_permit" => Ok(Semantic::FirstPermit),
            _ => Err(wrong_semantic()),
        },
        Some(_) => Err(wrong_semantic()),
    }
}

fn wrong_semantic() -> Fault {
    Fault::kind(
        "options.evaluations_semantic",
        "`execute_all`, `deny_on_first_deny` or `permit_on_first_permit`",
    )
}

/// Defaults of the wrong type are wrong for all.
fn check_defaults(members: &Members) -> Result<(), Fault> {
    for name in ["subject", "action", "resource", "context"] {
        optional(members, "", name)?;
    }
    Ok(())
}

/// An entry with the top level's defaults: each entity replaces the default as a whole, and takes
/// from it only what it must have and has not.
fn merged(defaults: &Members, entry: &FormValue) -> Result<Members, Fault> {
    let FormValue::Members(entry) = entry else {
        return Err(Fault::kind("evaluations", "a list of objects"));
    };
    let mut merged = Members::new();
    for (name, needed) in [
        ("subject", ["type", "id"].as_slice()),
        ("action", &["name"]),
        ("resource", &["type", "id"]),
        ("context", &[]),
    ] {
        // `null` says nothing, so it takes nothing away: a deny may ask about the default.
        let own = entry.get(name).filter(|own| **own != FormValue::Null);
        let value = match (own, defaults.get(name)) {
            (Some(FormValue::Members(own)), Some(FormValue::Members(default))) => {
                let mut own = own.clone();
                for part in needed {
                    if let (false, Some(value)) = (own.contains_key(*part), default.get(*part)) {
                        own.insert((*part).to_owned(), value.clone());
                    }
                }
                Some(FormValue::Members(own))
            }
            (Some(own), _) => Some(own.clone()),
            (None, default) => default.cloned(),
        };
        if let Some(value) = value {
            merged.insert(name.to_owned(), value);
        }
    }
    Ok(merged)
}
