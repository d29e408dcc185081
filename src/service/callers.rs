//! Administering service callers over gRPC.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::access;
use super::proto;
use super::proto::caller_service_server::CallerService;
use super::rpc::call;
use super::transport::PeerInfo;
use super::wire::callers as wire;
use crate::audit::{Actor, Origin, Protocol};
use crate::directory::service_caller::Right;
use crate::node::{
    Access, Node, NodeError, Trace, create_caller, create_token, delete_caller, delete_token,
    list_callers, update_caller,
};

/// Who sent a request, and from where.
struct From {
    access: Access,
    /// The peer's address.
    source: String,
}

impl From {
    fn of<T>(request: &Request<T>) -> Self {
        let peer = request.extensions().get::<PeerInfo>();
        let source = peer.map(|peer| peer.address.ip().to_string()).unwrap_or_default();
        Self { access: access::of_request(request), source }
    }
}

/// `camgate.v1.CallerService` over a node.
#[derive(Debug, Clone)]
pub struct ServiceCallers {
    node: Arc<Node>,
}

impl ServiceCallers {
    /// The service of this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    fn trace(&self, from: &From, call: &str) -> Trace {
        let origin = Origin {
            actor: Actor::Operator,
            protocol: Protocol::Grpc,
            call: call.to_owned(),
            source: from.source.clone(),
            request_id: String::new(),
            service_caller: from.access.name().to_owned(),
        };
        Trace { origin, at: self.node.now() }
    }

    async fn create(
        &self,
        trace: Trace,
        request: proto::CreateCallerRequest,
    ) -> Result<proto::CreateCallerResponse, NodeError> {
        let caller = wire::read_caller(request.caller)?;
        let revision = create_caller(self.node.callers_store()?, &trace, &caller).await?;
        self.node.callers_visible(revision).await?;
        Ok(proto::CreateCallerResponse {})
    }

    async fn list(
        &self,
        _trace: Trace,
        _request: proto::ListCallersRequest,
    ) -> Result<proto::ListCallersResponse, NodeError> {
        let callers = list_callers(self.node.callers_store()?).await?;
        Ok(proto::ListCallersResponse { callers: callers.iter().map(wire::caller).collect() })
    }

    async fn update(
        &self,
        trace: Trace,
        request: proto::UpdateCallerRequest,
    ) -> Result<proto::UpdateCallerResponse, NodeError> {
        let caller = wire::read_caller(request.caller)?;
        let revision = update_caller(self.node.callers_store()?, &trace, &caller).await?;
        self.node.callers_visible(revision).await?;
        Ok(proto::UpdateCallerResponse {})
    }

    async fn delete(
        &self,
        trace: Trace,
        request: proto::DeleteCallerRequest,
    ) -> Result<proto::DeleteCallerResponse, NodeError> {
        let revision = delete_caller(self.node.callers_store()?, &trace, &request.name).await?;
        self.node.callers_visible(revision).await?;
        Ok(proto::DeleteCallerResponse {})
    }

    async fn make_token(
        &self,
        trace: Trace,
        request: proto::CreateCallerTokenRequest,
    ) -> Result<proto::CreateCallerTokenResponse, NodeError> {
        let proto::CreateCallerTokenRequest { name, note, expires_at } = request;
        let store = self.node.callers_store()?;
        let expires_at_ms = wire::expiry(expires_at, trace.at.0)?;
        let (token, revision) = create_token(store, &trace, &name, &note, expires_at_ms).await?;
        self.node.callers_visible(revision).await?;
        let text = proto::Secret { text: token.expose().to_owned() };
        Ok(proto::CreateCallerTokenResponse { id: token.id, token: Some(text) })
    }

    async fn remove_token(
        &self,
        trace: Trace,
        request: proto::DeleteCallerTokenRequest,
    ) -> Result<proto::DeleteCallerTokenResponse, NodeError> {
        let proto::DeleteCallerTokenRequest { name, id } = request;
        let revision = delete_token(self.node.callers_store()?, &trace, &name, &id).await?;
        self.node.callers_visible(revision).await?;
        Ok(proto::DeleteCallerTokenResponse {})
    }
}

/// Runs one method for who may operate.
async fn operate<T>(
    node: &Node,
    method: &'static str,
    access: Access,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<Response<T>, Status> {
    call(node, method, 0, async {
        access.check_any(Right::Operate)?;
        work.await
    })
    .await
}

macro_rules! methods {
    ($($method:ident, $name:ident($request:ident) -> $response:ident = $function:ident;)*) => {
        #[tonic::async_trait]
        impl CallerService for ServiceCallers {
            $(async fn $method(
                &self,
                request: Request<proto::$request>,
            ) -> Result<Response<proto::$response>, Status> {
                let from = From::of(&request);
                let trace = self.trace(&from, stringify!($name));
                let work = self.$function(trace, request.into_inner());
                operate(&self.node, stringify!($name), from.access, work).await
            })*
        }
    };
}

methods! {
    create_caller, CreateCaller(CreateCallerRequest) -> CreateCallerResponse = create;
    list_callers, ListCallers(ListCallersRequest) -> ListCallersResponse = list;
    update_caller, UpdateCaller(UpdateCallerRequest) -> UpdateCallerResponse = update;
    delete_caller, DeleteCaller(DeleteCallerRequest) -> DeleteCallerResponse = delete;
    create_caller_token, CreateCallerToken(CreateCallerTokenRequest) -> CreateCallerTokenResponse
        = make_token;
    delete_caller_token, DeleteCallerToken(DeleteCallerTokenRequest) -> DeleteCallerTokenResponse
        = remove_token;
}
