//! By which way a question came, who asked it, and when its answer may be given.
//!
//! Rights are looked at here, once for every protocol, when it is known whose account a question is
//! about. An answer whose record must be written first is an [`Unsettled`] one: its value cannot be
//! reached before. It must never let an answer out by another way.

use super::Node;
use super::access::{Access, AccessError};
use super::error::NodeError;
use super::notes::Stage;
use crate::audit::decision_log::Taken;
use crate::directory::service_caller::Right;

/// The protocol and call that a question came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    /// Within the program.
    Direct,
    /// gRPC, one question.
    Check,
    /// gRPC, one of many questions.
    BatchCheck,
    /// gRPC, one of a stream.
    StreamCheck,
    /// gRPC, with an explanation.
    Explain,
    /// gRPC, with policies that are not stored.
    Simulate,
    /// A search; only its rights are looked at.
    Search,
    /// Envoy's external authorization.
    ExtAuthz,
    /// A proxy's sub-request.
    ForwardAuth,
    /// AuthZEN.
    Authzen,
    /// The CAM API, about its own calls.
    CamApi,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Direct,
        Self::Check,
        Self::BatchCheck,
        Self::StreamCheck,
        Self::Explain,
        Self::Simulate,
        Self::Search,
        Self::ExtAuthz,
        Self::ForwardAuth,
        Self::Authzen,
        Self::CamApi,
    ];

    /// Its stable name, as the decision log has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Check => "grpc:Check",
            Self::BatchCheck => "grpc:BatchCheck",
            Self::StreamCheck => "grpc:StreamCheck",
            Self::Explain => "grpc:Explain",
            Self::Simulate => "grpc:Simulate",
            Self::Search => "search",
            Self::ExtAuthz => "ext_authz",
            Self::ForwardAuth => "forward_auth",
            Self::Authzen => "authzen",
            Self::CamApi => "cam_api",
        }
    }

    /// The right that its callers need.
    fn right(self) -> Right {
        match self {
            Self::Direct
            | Self::Check
            | Self::BatchCheck
            | Self::StreamCheck
            | Self::ExtAuthz
            | Self::ForwardAuth
            | Self::Authzen
            | Self::CamApi => Right::Check,
            Self::Explain | Self::Simulate | Self::Search => Right::Explain,
        }
    }
}

/// Who asks by which way.
#[derive(Debug, Clone)]
pub struct Asking {
    /// By which way.
    pub surface: Surface,
    /// What the caller may.
    pub access: Access,
}

impl Asking {
    /// The program itself, which may everything.
    #[must_use]
    pub fn direct() -> Self {
        Self::open(Surface::Direct)
    }

    /// A way whose callers prove who they are otherwise.
    #[must_use]
    pub fn open(surface: Surface) -> Self {
        Self { surface, access: Access::Open }
    }

    /// A caller by a way.
    #[must_use]
    pub fn by(surface: Surface, access: &Access) -> Self {
        Self { surface, access: access.clone() }
    }

    /// The name of the registered service that asks.
    pub(super) fn caller(&self) -> Option<&str> {
        match &self.access {
            Access::Caller { caller, .. } => Some(&caller.name),
            Access::Open | Access::Nobody => None,
        }
    }

    /// That the caller may have an answer about this account and service.
    pub(super) fn check(&self, owner_uin: u64, service: &str) -> Result<(), AccessError> {
        self.access.check(self.surface.right(), owner_uin)?;
        self.access.check_service(service)
    }
}

/// An answer that nobody may be given yet: its record may not be written.
#[derive(Debug)]
#[must_use = "an answer is given by `Node::settle`"]
pub struct Unsettled<T> {
    value: T,
    taken: Taken,
}

impl<T> Unsettled<T> {
    pub(super) fn new(value: T, taken: Taken) -> Self {
        Self { value, taken }
    }

    /// What needs no record.
    pub fn free(value: T) -> Self {
        Self { value, taken: Taken::default() }
    }

    /// The same in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Unsettled<U> {
        Unsettled { value: form(self.value), taken: self.taken }
    }
}

impl<T> Unsettled<Vec<T>> {
    /// One more, which is given together with the others.
    pub fn push(&mut self, one: Unsettled<T>) {
        self.value.push(one.value);
        self.taken = self.taken.and(one.taken);
    }
}

impl Node {
    /// The answer, when its record is written.
    ///
    /// # Errors
    /// [`NodeError::DecisionLog`] when it is not written in time, and must be.
    pub async fn settle<T>(&self, answer: Unsettled<T>) -> Result<T, NodeError> {
        let Unsettled { value, taken } = answer;
        if let (Some(log), true) = (&self.decision_log, taken != Taken::default()) {
            self.waited(Stage::DecisionLog, log.written(taken)).await?;
        }
        Ok(value)
    }
}
