//! A server with the same messages whose handler does nothing: it reads the request and answers
//! with a copy of an answer made beforehand.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use camgate::service::proto;
use camgate::service::proto::authorization_service_server::{
    AuthorizationService, AuthorizationServiceServer,
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::server::Answers;

struct Empty {
    answers: Arc<Answers>,
    next: AtomicUsize,
}

impl Empty {
    fn check(&self) -> proto::CheckResponse {
        next(&self.answers, &self.next)
    }
}

fn next(answers: &Answers, next: &AtomicUsize) -> proto::CheckResponse {
    let at = next.fetch_add(1, Ordering::Relaxed);
    answers.checks[at % answers.checks.len()].clone()
}

/// Serves on a free port.
pub async fn start(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serving = tonic::transport::Server::builder()
        .add_service(AuthorizationServiceServer::new(Empty {
            answers: Arc::new(answers),
            next: AtomicUsize::new(0),
        }))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(serving);
    address
}

fn unimplemented<T>() -> Result<T, Status> {
    Err(Status::unimplemented("the empty handler"))
}

#[tonic::async_trait]
impl AuthorizationService for Empty {
    async fn check(
        &self,
        _: Request<proto::CheckRequest>,
    ) -> Result<Response<proto::CheckResponse>, Status> {
        Ok(Response::new(self.check()))
    }

    async fn batch_check(
        &self,
        _: Request<proto::BatchCheckRequest>,
    ) -> Result<Response<proto::BatchCheckResponse>, Status> {
        Ok(Response::new(self.answers.batch.clone()))
    }

    type StreamCheckStream =
        Pin<Box<dyn Stream<Item = Result<proto::BatchCheckEntry, Status>> + Send>>;

    async fn stream_check(
        &self,
        request: Request<Streaming<proto::CheckRequest>>,
    ) -> Result<Response<Self::StreamCheckStream>, Status> {
        let (all, at) = (Arc::clone(&self.answers), AtomicUsize::new(0));
        let answer = move || {
            let decision = next(&all, &at).decision.expect("a decision");
            let result = Some(proto::batch_check_entry::Result::Decision(decision));
            proto::BatchCheckEntry { result }
        };
        let answers = request.into_inner().map(move |asked| asked.map(|_| answer()));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn explain(
        &self,
        _: Request<proto::ExplainRequest>,
    ) -> Result<Response<proto::ExplainResponse>, Status> {
        unimplemented()
    }

    async fn simulate(
        &self,
        _: Request<proto::SimulateRequest>,
    ) -> Result<Response<proto::SimulateResponse>, Status> {
        unimplemented()
    }

    async fn list_resources(
        &self,
        _: Request<proto::ListResourcesRequest>,
    ) -> Result<Response<proto::ListResourcesResponse>, Status> {
        unimplemented()
    }

    async fn list_actions(
        &self,
        _: Request<proto::ListActionsRequest>,
    ) -> Result<Response<proto::ListActionsResponse>, Status> {
        unimplemented()
    }

    async fn list_principals(
        &self,
        _: Request<proto::ListPrincipalsRequest>,
    ) -> Result<Response<proto::ListPrincipalsResponse>, Status> {
        unimplemented()
    }
}
