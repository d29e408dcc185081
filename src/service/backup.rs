//! The archive of the whole store, streamed.
//!
//! It must never read ahead of the caller by more than a few pieces, and never end with OK before
//! the last piece was given.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::access;
use super::proto;
use super::proto::store_service_server::StoreService;
use super::rpc::{call, meter};
use super::status::status;
use crate::directory::service_caller::Right;
use crate::node::{Access, Node, NodeError};
use crate::store::archive::{ArchiveError, Export};

/// Pieces that wait for the caller.
const PIECES_AHEAD_MAX: usize = 4;

/// `camgate.v1.StoreService` over a node.
#[derive(Debug, Clone)]
pub struct Backup {
    node: Arc<Node>,
}

impl Backup {
    /// The service of this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<proto::ExportResponse, Status>> + Send>>;

async fn pump(
    node: Arc<Node>,
    access: Access,
    mut export: Export,
    pieces: mpsc::Sender<Result<proto::ExportResponse, Status>>,
) {
    let _open = meter(&node, "Export").open();
    let mut stopping = node.stopping();
    let refused = |error: ArchiveError| status(error.into());
    loop {
        let piece = tokio::select! {
            piece = export.next() => piece.map_err(refused),
            _ = stopping.wait_for(|is_stopping| *is_stopping) => Err(status(NodeError::Stopping)),
        };
        let piece = piece.map(|piece| piece.map(|piece| proto::ExportResponse { piece }));
        let Some(piece) = piece.transpose() else { return };
        let still = node.access_now(&access).check_any(Right::Operate);
        let piece = still.map_err(|error| status(error.into())).and(piece);
        let is_last = piece.is_err();
        if pieces.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

#[tonic::async_trait]
impl StoreService for Backup {
    type ExportStream = Pieces;

    async fn export(
        &self,
        request: Request<proto::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let access = access::of_request(&request);
        call(&self.node, "Export", 0, async {
            access.check_any(Right::Operate)?;
            let export = self.node.export().await?;
            let (sender, receiver) = mpsc::channel(PIECES_AHEAD_MAX);
            tokio::spawn(pump(Arc::clone(&self.node), access, export, sender));
            Ok(Box::pin(ReceiverStream::new(receiver)) as Pieces)
        })
        .await
    }
}
