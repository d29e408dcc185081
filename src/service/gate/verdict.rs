//! What the gate tells a proxy: let the request go on as this caller, or turn it away with this.

use serde_json::{Map, Value, json};

use crate::engine::Filter;
use crate::gate::{GateSettings, RefusalClass};
use crate::lang::resource::ResourceName;
use crate::node::{CallResult, CallerError, Ending, GateAnswer, GateError, Node};
use crate::service::cam;
use crate::service::cam::error::CamError;
use crate::service::{refusal, status};

const UIN_HEADER: &str = "x-camgate-uin";
const OWNER_UIN_HEADER: &str = "x-camgate-owner-uin";
const DECISION_ID_HEADER: &str = "x-camgate-decision-id";
const FILTER_HEADER: &str = "x-camgate-filter";
const STALE_HEADER: &str = "x-camgate-stale-ms";
/// The headers that only the gate sets on a request that goes on: a client's own are taken off.
pub(in crate::service) const IDENTITY_HEADERS: [&str; 5] =
    [UIN_HEADER, OWNER_UIN_HEADER, DECISION_ID_HEADER, FILTER_HEADER, STALE_HEADER];

/// The answer to a proxy.
#[derive(Debug)]
pub(in crate::service) enum Verdict {
    /// The request goes on.
    Allow(Box<Pass>),
    /// It does not.
    Deny(Box<Denial>),
}

/// What goes on with a request.
#[derive(Debug)]
pub(in crate::service) struct Pass {
    /// Headers to set, over those of the client.
    pub(in crate::service) headers: Vec<(&'static str, String)>,
    /// The decision, for the proxy's log.
    pub(in crate::service) metadata: Map<String, Value>,
}

/// What turns a request away.
#[derive(Debug)]
pub(in crate::service) struct Denial {
    /// What kind it is.
    pub(in crate::service) class: RefusalClass,
    /// Code, message and decision.
    error: CamError,
    request_id: String,
    /// The decision, for the proxy's log.
    pub(in crate::service) metadata: Map<String, Value>,
}

impl Verdict {
    /// `OK`, or the code of the denial.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Allow(_) => "OK",
            Self::Deny(denial) => denial.code(),
        }
    }

    /// How a call ends with it; a denial is no answer in the sense of metrics.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(denial) => Some(Ending {
                result: match denial.class {
                    RefusalClass::Unauthenticated | RefusalClass::Refused => CallResult::Refused,
                    RefusalClass::CannotTell => CallResult::Failed,
                },
                code: denial.error.code.clone(),
                reason: "",
            }),
        }
    }
}

impl Pass {
    pub(super) fn new(node: &Node, settings: &GateSettings, answer: GateAnswer) -> Self {
        let mut headers = vec![
            (UIN_HEADER, answer.principal.to_string()),
            (OWNER_UIN_HEADER, answer.owner_uin.to_string()),
            (DECISION_ID_HEADER, answer.answer.decision_id.clone()),
        ];
        headers.extend(answer.filter.as_ref().map(|filter| (FILTER_HEADER, filter_text(filter))));
        let stale_ms = answer.answer.stale_ms;
        headers.extend((stale_ms > 0).then(|| (STALE_HEADER, stale_ms.to_string())));
        Self { headers, metadata: metadata(node, settings, &answer, "OK") }
    }
}

impl Denial {
    pub(super) fn of_answer(
        node: &Node,
        settings: &GateSettings,
        request_id: &str,
        answer: GateAnswer,
    ) -> Self {
        let code = "AuthFailure.UnauthorizedOperation";
        let message = refusal::message(request_id, &answer.action.to_string(), &answer.resource);
        let decision = Some(refusal::decision(node, &answer.answer));
        Self {
            class: RefusalClass::Refused,
            metadata: metadata(node, settings, &answer, code),
            error: CamError { decision, ..CamError::new(code, message) },
            request_id: request_id.to_owned(),
        }
    }

    pub(super) fn of_error(request_id: &str, error: GateError) -> Self {
        let (class, error) = match error {
            GateError::Refusal(refusal) => {
                (refusal.class(), CamError::new(refusal.code(), refusal.to_string()))
            }
            GateError::Caller(CallerError::Node(error)) | GateError::Node(error) => {
                let error = status::cam(error);
                (class_of(&error.code), error)
            }
            GateError::Caller(error) => {
                let code = error.code().unwrap_or("InternalError");
                (RefusalClass::Unauthenticated, CamError::new(code, error.to_string()))
            }
        };
        Self::new(request_id, class, error)
    }

    pub(super) fn too_late(request_id: &str) -> Self {
        let message = "there was no decision in time: try again";
        let error = CamError::new("ServiceUnavailable", message);
        Self::new(request_id, RefusalClass::CannotTell, error)
    }

    pub(super) fn overloaded(request_id: &str) -> Self {
        let message = "the server has too much to do: wait and try again";
        let error = CamError::new("ServiceUnavailable", message);
        Self::new(request_id, RefusalClass::CannotTell, error)
    }

    fn new(request_id: &str, class: RefusalClass, error: CamError) -> Self {
        let metadata = Map::from_iter([
            ("outcome".to_owned(), json!("DENY")),
            ("code".to_owned(), json!(error.code)),
            ("cache_ms".to_owned(), json!(0)),
        ]);
        Self { class, error, request_id: request_id.to_owned(), metadata }
    }

    /// The official code.
    pub(in crate::service) fn code(&self) -> &str {
        &self.error.code
    }

    /// For people.
    pub(in crate::service) fn message(&self) -> &str {
        &self.error.message
    }

    /// The HTTP status for clients that do not read the API's envelope.
    pub(in crate::service) fn http_status(&self) -> u16 {
        match self.class {
            RefusalClass::Unauthenticated => 401,
            RefusalClass::Refused => 403,
            RefusalClass::CannotTell => 503,
        }
    }

    /// The API's own envelope, which official clients read with HTTP status 200 only.
    pub(in crate::service) fn envelope(self) -> Vec<u8> {
        cam::reply(&self.request_id, Err(self.error)).body
    }

    /// The same for other clients.
    pub(in crate::service) fn json(self) -> Vec<u8> {
        let CamError { code, message, decision } = self.error;
        let mut error = json!({"Code": code, "Message": message});
        if let (Some(decision), Some(error)) = (decision, error.as_object_mut()) {
            error.insert("Decision".to_owned(), decision);
        }
        json!({"Error": error, "RequestId": self.request_id}).to_string().into_bytes()
    }
}

/// A fault of the server is no fault of the caller.
fn class_of(code: &str) -> RefusalClass {
    match code {
        "InternalError" | "ServiceUnavailable" | "ResourceUnavailable" => RefusalClass::CannotTell,
        "AuthFailure.UnknownCaller" => RefusalClass::Unauthenticated,
        _ => RefusalClass::Refused,
    }
}

/// `all`, or the ids of the apps that may be shown.
fn filter_text(filter: &Filter) -> String {
    if filter.all {
        return "all".to_owned();
    }
    let names = filter.resources.iter().filter_map(|text| ResourceName::parse(text).ok());
    let ids: Vec<String> =
        names.filter_map(|name| name.sdkappid()).map(|id| id.to_string()).collect();
    format!("sdkappid:{}", ids.join(","))
}

/// The decision for a log. Numbers beyond 2^53 are no numbers in JSON, so ids are texts.
fn metadata(
    node: &Node,
    settings: &GateSettings,
    answer: &GateAnswer,
    code: &str,
) -> Map<String, Value> {
    let decision = &answer.answer.decision;
    let members = [
        ("outcome", json!(decision.outcome.as_str())),
        ("code", json!(code)),
        ("reason", json!(decision.reason.as_str())),
        ("layer", json!(decision.reason.layer().map(|layer| layer.as_str()))),
        ("action", json!(answer.action.to_string())),
        ("resource", json!(answer.resource)),
        ("uin", json!(answer.principal.to_string())),
        ("owner_uin", json!(answer.owner_uin.to_string())),
        ("decision_id", json!(answer.answer.decision_id)),
        ("revision", json!(node.token(answer.answer.revision))),
        ("stale_ms", json!(answer.answer.stale_ms)),
        ("cache_ms", json!(cache_ms(node, settings, answer))),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// How long the decision may be remembered: never beyond the credential, and not at all where each
/// signature counts once, or where it may be old already.
fn cache_ms(node: &Node, settings: &GateSettings, answer: &GateAnswer) -> u64 {
    if node.settings().refuse_replays || answer.answer.stale_ms > 0 {
        return 0;
    }
    let left = answer.expires_at_ms.map(|end| end.saturating_sub(node.now().0));
    let left = left.map_or(u64::MAX, |left| u64::try_from(left).unwrap_or(0));
    settings.cache_ms.min(left)
}
