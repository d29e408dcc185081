//! The watch: an account's changes, streamed until the caller leaves or the node stops.
//!
//! It must never buffer more than one event ahead of the caller, and never end without saying why.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::proto;
use super::proto::watch_service_server::WatchService;
use super::rpc::call;
use super::status::status;
use super::wire::objects::watch_event;
use super::wire::request::required;
use crate::node::{AccountWatch, Node};

/// `camgate.v1.WatchService` over a node.
#[derive(Debug, Clone)]
pub struct Watching {
    node: Arc<Node>,
}

impl Watching {
    /// The service of this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<proto::WatchResponse, Status>> + Send>>;

async fn pump(
    node: Arc<Node>,
    mut watch: AccountWatch,
    events: mpsc::Sender<Result<proto::WatchResponse, Status>>,
) {
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            () = events.closed() => return,
        };
        let is_last = event.is_err();
        let message = event.map(|event| watch_event(&node, &event)).map_err(status);
        if events.send(message).await.is_err() || is_last {
            return;
        }
    }
}

#[tonic::async_trait]
impl WatchService for Watching {
    type WatchStream = Events;

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let proto::WatchRequest { owner_uin, after } = request.into_inner();
        call("Watch", owner_uin, async {
            let owner_uin = required("owner_uin", owner_uin)?;
            let after = self.node.read_token(&after)?;
            let watch = self.node.watch(owner_uin, after).await?;
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(pump(Arc::clone(&self.node), watch, sender));
            Ok(Box::pin(ReceiverStream::new(receiver)) as Events)
        })
        .await
    }
}
