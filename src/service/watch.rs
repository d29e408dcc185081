//! The watch: an account's changes, streamed until the caller leaves or the node stops.
//!
//! It must never buffer more than one event ahead of the caller, and never end without saying why.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::access;
use super::proto;
use super::proto::watch_service_server::WatchService;
use super::rpc::{call, meter};
use super::status::status;
use super::wire::objects::watch_event;
use super::wire::request::required;
use crate::directory::service_caller::Right;
use crate::node::{Access, AccountWatch, Node, NodeError, OpenStream};

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

/// Whose changes are sent to whom.
struct Sent {
    owner_uin: u64,
    access: Access,
    _open: OpenStream,
}

impl Sent {
    /// That the caller still may.
    fn check(&self, node: &Node) -> Result<(), NodeError> {
        Ok(node.access_now(&self.access).check(Right::Watch, self.owner_uin)?)
    }
}

async fn pump(
    node: Arc<Node>,
    sent: Sent,
    mut watch: AccountWatch,
    events: mpsc::Sender<Result<proto::WatchResponse, Status>>,
) {
    let mut callers = node.callers_changed();
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            _ = callers.changed() => match sent.check(&node) {
                Ok(()) => continue,
                Err(refused) => Err(refused),
            },
            () = events.closed() => return,
        };
        // A token may have ended without a change.
        let event = event.and_then(|event| sent.check(&node).map(|()| event));
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
        let access = access::of_request(&request);
        let proto::WatchRequest { owner_uin, after } = request.into_inner();
        call(&self.node, "Watch", owner_uin, async {
            access.check_any(Right::Watch)?;
            let owner_uin = required("owner_uin", owner_uin)?;
            access.check(Right::Watch, owner_uin)?;
            let after = self.node.read_token(&after)?;
            let watch = self.node.watch(owner_uin, after).await?;
            let (sender, receiver) = mpsc::channel(1);
            let _open = meter(&self.node, "Watch").open();
            let sent = Sent { owner_uin, access, _open };
            tokio::spawn(pump(Arc::clone(&self.node), sent, watch, sender));
            Ok(Box::pin(ReceiverStream::new(receiver)) as Events)
        })
        .await
    }
}
