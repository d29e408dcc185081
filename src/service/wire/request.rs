//! From requests to queries, with the limits of requests.

use std::collections::BTreeMap;

use crate::audit::{Actor, Origin, Protocol};
use crate::engine::{ActionQuery, Resource, ResourceQuery};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::lang::number::Number;
use crate::node::{
    Asker, CheckQuery, InlinePolicy, Node, NodeError, Question, REQUEST_ID_BYTES_MAX, RequestId,
    SimulateQuery, WriteOptions, shorten,
};
use crate::service::proto;
use crate::store::Revision;

/// Most entries of one batch.
pub(in crate::service) const BATCH_ENTRIES_MAX: usize = 100;
/// Most inline policies of one kind in a simulation.
const INLINE_POLICIES_MAX: usize = 20;
/// Longest name of an inline policy, in bytes.
const INLINE_NAME_BYTES_MAX: usize = 512;

fn bad_field(field: &str, problem: &str) -> NodeError {
    NodeError::BadField { field: field.to_owned(), problem: problem.to_owned() }
}

/// A number that must not be zero, since zero is what an absent field reads as.
pub(in crate::service) fn required(field: &str, number: u64) -> Result<u64, NodeError> {
    if number == 0 {
        return Err(bad_field(field, "is required and must not be 0"));
    }
    Ok(number)
}

pub(in crate::service) fn at_most(
    field: &str,
    unit: &'static str,
    limit: usize,
    actual: usize,
) -> Result<(), NodeError> {
    if actual > limit {
        return Err(NodeError::OverLimit { field: field.to_owned(), unit, limit, actual });
    }
    Ok(())
}

/// The revision that an answer must not be older than.
pub(in crate::service) fn at_least(
    node: &Node,
    consistency: Option<&proto::Consistency>,
) -> Result<Option<Revision>, NodeError> {
    consistency.map_or(Ok(None), |consistency| node.read_token(&consistency.at_least))
}

/// Who asks: a uin, or the holder of a session token.
///
/// # Errors
/// What is wrong with it, by field.
pub(in crate::service) fn asker(
    node: &Node,
    who: Option<proto::Principal>,
) -> Result<Asker, NodeError> {
    let Some(proto::Principal { id: Some(proto::principal::Id::SessionToken(token)), owner_uin }) =
        &who
    else {
        let (uin, owner_uin) = principal(who)?;
        return Ok(Asker::Uin { uin, owner_uin });
    };
    let session = node.open_session(token)?;
    if *owner_uin != 0 && *owner_uin != session.owner_uin() {
        return Err(bad_field("principal.owner_uin", "is not the account of the session"));
    }
    Ok(Asker::Session(session))
}

/// A uin, and the owner where one is given.
///
/// # Errors
/// What is wrong with it, by field.
pub fn principal(principal: Option<proto::Principal>) -> Result<(u64, Option<u64>), NodeError> {
    let Some(proto::Principal { id, owner_uin }) = principal else {
        return Err(bad_field("principal", "is required: say whose request it is"));
    };
    let owner_uin = (owner_uin != 0).then_some(owner_uin);
    match id {
        Some(proto::principal::Id::Uin(uin)) => Ok((required("principal.uin", uin)?, owner_uin)),
        Some(proto::principal::Id::SessionToken(_)) => {
            Err(bad_field("principal.session_token", "cannot be used here: give a uin"))
        }
        None => Err(bad_field("principal", "has no id: give a uin")),
    }
}

/// One action's name.
///
/// # Errors
/// What is wrong with it, by field.
pub fn action(action: &str) -> Result<ActionName, NodeError> {
    ActionName::parse(action).map_err(|fault| NodeError::Action { action: shorten(action), fault })
}

/// A resource, `*`, or nothing.
///
/// # Errors
/// What is wrong with it, by field.
pub fn resource(resource: &str) -> Result<Resource, NodeError> {
    Resource::parse(resource)
        .map_err(|fault| NodeError::Resource { resource: shorten(resource), fault })
}

/// The facts of a request.
///
/// # Errors
/// What is wrong with it, by field.
pub fn context(context: BTreeMap<String, proto::ContextValues>) -> Result<Context, NodeError> {
    let mut facts = Context::new();
    for (key, proto::ContextValues { values }) in context {
        let values: Result<Vec<ContextValue>, NodeError> =
            values.into_iter().map(|value| context_value(&key, value)).collect();
        facts.insert(&key, values?)?;
    }
    Ok(facts)
}

fn context_value(key: &str, value: proto::ContextValue) -> Result<ContextValue, NodeError> {
    use proto::context_value::Value;
    let number = |text: &str| {
        Number::parse(text).map(ContextValue::Number).ok_or_else(|| {
            let problem = format!("has the value `{}`, which is no number", shorten(text));
            bad_field(&format!("context[{}]", shorten(key)), &problem)
        })
    };
    match value.value {
        Some(Value::Text(text)) => Ok(ContextValue::Text(text)),
        Some(Value::Integer(integer)) => number(&integer.to_string()),
        Some(Value::Decimal(decimal)) => number(&decimal),
        Some(Value::Boolean(boolean)) => Ok(ContextValue::Bool(boolean)),
        None => Err(bad_field(
            &format!("context[{}]", shorten(key)),
            "has a value of no type: give text, integer, decimal or boolean",
        )),
    }
}

/// A question with how fresh its answer must be.
pub(in crate::service) fn check(
    node: &Node,
    request: proto::CheckRequest,
) -> Result<(CheckQuery, Option<Revision>), NodeError> {
    let proto::CheckRequest {
        principal: who,
        action: what,
        resource: on,
        context: facts,
        consistency,
        accepts_filter,
    } = request;
    let query = CheckQuery {
        asker: asker(node, who)?,
        action: action(&what)?,
        resource: resource(&on)?,
        context: context(facts)?,
        accepts_filter,
    };
    Ok((query, at_least(node, consistency.as_ref())?))
}

/// A question with the texts that it came with.
#[derive(Debug)]
pub(in crate::service) struct Asked {
    asker: Asker,
    action: String,
    resource: String,
    context: Context,
    accepts_filter: bool,
}

impl Asked {
    /// Takes a request apart; its freshness is read before.
    ///
    /// # Errors
    /// What is wrong with principal or context, by field.
    pub(in crate::service) fn read(
        node: &Node,
        request: proto::CheckRequest,
    ) -> Result<Self, NodeError> {
        let proto::CheckRequest {
            principal: who,
            action,
            resource,
            context: facts,
            consistency: _,
            accepts_filter,
        } = request;
        let (asker, context) = (asker(node, who)?, context(facts)?);
        Ok(Self { asker, action, resource, context, accepts_filter })
    }

    /// As [`Asked::read`], of a batch's entry, whose freshness is the batch's.
    ///
    /// # Errors
    /// As [`Asked::read`].
    pub(in crate::service) fn read_entry(
        node: &Node,
        request: proto::CheckRequest,
    ) -> Result<Self, NodeError> {
        if request.consistency.is_some() {
            return Err(bad_field("consistency", "belongs to the whole batch: set it there"));
        }
        Self::read(node, request)
    }

    /// The question, which points into this.
    ///
    /// # Errors
    /// What is wrong with action or resource, by field.
    pub(in crate::service) fn question<'a>(
        &'a self,
        node: &'a Node,
    ) -> Result<Question<'a>, NodeError> {
        let Self { asker, action, resource, context, accepts_filter } = self;
        let query = ActionQuery::parse(action, node.catalog());
        let action = query.map_err(|fault| NodeError::Action { action: shorten(action), fault })?;
        let query = ResourceQuery::parse(resource);
        let resource =
            query.map_err(|fault| NodeError::Resource { resource: shorten(resource), fault })?;
        Ok(Question { asker, action, resource, context, accepts_filter: *accepts_filter })
    }
}

/// A question of a simulation.
pub(in crate::service) fn simulation(
    node: &Node,
    request: proto::SimulateRequest,
) -> Result<(SimulateQuery, Option<Revision>), NodeError> {
    let proto::SimulateRequest {
        check: question,
        policies,
        replace_policies,
        boundary,
        session_policies,
    } = request;
    let (query, at_least) = check(node, explained(question)?)?;
    let simulation = SimulateQuery {
        query,
        policies: inline_policies("policies", policies)?,
        replace_policies,
        boundary: boundary.map(|it| inline_policy("boundary", it)).transpose()?,
        session: inline_policies("session_policies", session_policies)?,
    };
    Ok((simulation, at_least))
}

/// The question inside another request.
pub(in crate::service) fn explained(
    question: Option<proto::CheckRequest>,
) -> Result<proto::CheckRequest, NodeError> {
    question.ok_or_else(|| bad_field("check", "is required: say what is asked"))
}

fn inline_policies(
    field: &str,
    policies: Vec<proto::InlinePolicy>,
) -> Result<Vec<InlinePolicy>, NodeError> {
    at_most(field, "policies", INLINE_POLICIES_MAX, policies.len())?;
    policies.into_iter().map(|policy| inline_policy(field, policy)).collect()
}

fn inline_policy(field: &str, policy: proto::InlinePolicy) -> Result<InlinePolicy, NodeError> {
    let proto::InlinePolicy { name, document } = policy;
    at_most(&format!("{field}.name"), "bytes", INLINE_NAME_BYTES_MAX, name.len())?;
    let name = if name.is_empty() { "inline".to_owned() } else { name };
    Ok(InlinePolicy { name, document: document.into_bytes() })
}

/// What a write asks for. `request` is the whole request, encoded; from where it came are the
/// peer's address and the service caller's name.
pub(in crate::service) fn write_options(
    node: &Node,
    options: Option<proto::WriteOptions>,
    method: &str,
    request: &[u8],
    (source, service_caller): (&str, &str),
) -> Result<WriteOptions, NodeError> {
    let proto::WriteOptions { if_revision, request_id, validate_only } =
        options.unwrap_or_default();
    at_most("options.request_id", "bytes", REQUEST_ID_BYTES_MAX, request_id.len())?;
    let request = (!request_id.is_empty()).then(|| RequestId::new(&request_id, method, request));
    let origin = Origin {
        actor: Actor::Operator,
        protocol: Protocol::Grpc,
        call: method.to_owned(),
        source: source.to_owned(),
        request_id,
        service_caller: service_caller.to_owned(),
    };
    let if_revision = node.read_token(&if_revision)?;
    Ok(WriteOptions { if_revision, request, validate_only, origin })
}
