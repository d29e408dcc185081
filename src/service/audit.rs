//! Change logs over gRPC: verified, followed, and the operator's own.
//!
//! What is about an account is for who administers it, the rest for who operates the service. It
//! must never end a verification with OK before everything was read.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::access;
use super::page::Page;
use super::proto;
use super::proto::audit_service_server::AuditService;
use super::rpc::{call, meter};
use super::status::status;
use super::wire::changes;
use crate::directory::service_caller::Right;
use crate::node::{Access, Finding, Node, NodeError, Verification, Verified};

/// Messages that wait for the caller.
const MESSAGES_AHEAD_MAX: usize = 4;
/// Entries that are read at once.
const FOLLOWED_PAGE: usize = 100;
/// Whose log the operator's is.
const OPERATOR: u64 = 0;

/// `camgate.v1.AuditService` over a node.
#[derive(Debug, Clone)]
pub struct Audit {
    node: Arc<Node>,
}

impl Audit {
    /// The service of this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node }
    }
}

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Whose logs are told to whom.
struct Told {
    access: Access,
    owner_uin: u64,
}

impl Told {
    fn check(&self) -> Result<(), NodeError> {
        check(&self.access, self.owner_uin)
    }

    /// That the caller still may.
    fn check_now(&self, node: &Node) -> Result<(), NodeError> {
        check(&node.access_now(&self.access), self.owner_uin)
    }
}

fn check(access: &Access, owner_uin: u64) -> Result<(), NodeError> {
    let checked = match owner_uin {
        OPERATOR => access.check_any(Right::Operate),
        _ => access.check(Right::Administer, owner_uin),
    };
    Ok(checked?)
}

fn found(
    (findings, verified): (Vec<Finding>, Verified),
    revision: &str,
) -> proto::VerifyChangesResponse {
    let Verified { accounts, uncounted, entries, records } = verified;
    let finding = |it: Finding| {
        let Finding { owner_uin, key, sequence, problem } = it;
        proto::VerifyFinding { owner_uin, key, sequence, problem }
    };
    proto::VerifyChangesResponse {
        findings: findings.into_iter().map(finding).collect(),
        accounts,
        uncounted_accounts: uncounted,
        log_entries: entries,
        records,
        revision: revision.to_owned(),
    }
}

async fn verify(
    node: Arc<Node>,
    told: Told,
    mut verification: Verification,
    messages: mpsc::Sender<Result<proto::VerifyChangesResponse, Status>>,
) {
    let _open = meter(&node, "VerifyChanges").open();
    let revision = node.token(verification.revision());
    let mut stopping = node.stopping();
    loop {
        let next = tokio::select! {
            next = verification.next() => next,
            _ = stopping.wait_for(|is_stopping| *is_stopping) => Err(NodeError::Stopping),
        };
        let next = next.and_then(|next| told.check_now(&node).map(|()| next));
        let Some(next) = next.transpose() else { return };
        let message = next.map(|next| found(next, &revision)).map_err(status);
        let is_last = message.is_err();
        if messages.send(message).await.is_err() || is_last {
            return;
        }
    }
}

async fn follow(
    node: Arc<Node>,
    told: Told,
    mut after: u64,
    messages: mpsc::Sender<Result<proto::FollowChangesResponse, Status>>,
) {
    let _open = meter(&node, "FollowChanges").open();
    let (mut applied, mut callers) = (node.applied_changes(), node.callers_changed());
    let mut stopping = node.stopping();
    loop {
        applied.mark_unchanged();
        let first = after.saturating_add(1);
        let page = match told.check_now(&node) {
            Ok(()) => node.change_log(told.owner_uin, first, FOLLOWED_PAGE, None).await,
            Err(refused) => Err(refused),
        };
        let changes = match page {
            Ok(page) => page.changes,
            Err(error) => {
                // Who has gone away need not know.
                let _ = messages.send(Err(status(error))).await;
                return;
            }
        };
        let is_end = changes.is_empty();
        for change in changes {
            after = change.sequence;
            let record = Some(changes::record(&node, change));
            if messages.send(Ok(proto::FollowChangesResponse { record })).await.is_err() {
                return;
            }
        }
        if !is_end {
            continue;
        }
        let is_over = tokio::select! {
            changed = applied.changed() => changed.is_err(),
            _ = callers.changed() => false,
            _ = stopping.wait_for(|is_stopping| *is_stopping) => true,
            () = messages.closed() => return,
        };
        if is_over {
            let _ = messages.send(Err(status(NodeError::Stopping))).await;
            return;
        }
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    type VerifyChangesStream = Messages<proto::VerifyChangesResponse>;
    type FollowChangesStream = Messages<proto::FollowChangesResponse>;

    async fn verify_changes(
        &self,
        request: Request<proto::VerifyChangesRequest>,
    ) -> Result<Response<Self::VerifyChangesStream>, Status> {
        let access = access::of_request(&request);
        let proto::VerifyChangesRequest { owner_uin } = request.into_inner();
        call(&self.node, "VerifyChanges", owner_uin, async {
            let told = Told { access, owner_uin };
            told.check()?;
            let only = (owner_uin != OPERATOR).then_some(owner_uin);
            let verification = self.node.verify_store(only).await?;
            let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD_MAX);
            tokio::spawn(verify(Arc::clone(&self.node), told, verification, sender));
            Ok(Box::pin(ReceiverStream::new(receiver)) as Self::VerifyChangesStream)
        })
        .await
    }

    async fn list_operator_changes(
        &self,
        request: Request<proto::ListOperatorChangesRequest>,
    ) -> Result<Response<proto::ListOperatorChangesResponse>, Status> {
        let access = access::of_request(&request);
        let proto::ListOperatorChangesRequest { first_sequence, page } = request.into_inner();
        call(&self.node, "ListOperatorChanges", OPERATOR, async {
            check(&access, OPERATOR)?;
            let node = &self.node;
            let page = Page::read(page, &format!("operator changes {first_sequence}"))?;
            let first = match page.after_number()? {
                Some(last) => last.saturating_add(1),
                None => first_sequence,
            };
            let found = node.change_log(OPERATOR, first, page.limit, None).await?;
            let last = found.changes.last().map(|change| change.sequence);
            let goes_on = last.filter(|last| *last < found.last_sequence);
            let goes_on = goes_on.map(|last| last.to_string());
            Ok(proto::ListOperatorChangesResponse {
                records: found.changes.into_iter().map(|it| changes::record(node, it)).collect(),
                last_sequence: found.last_sequence,
                revision: node.token(found.revision),
                next_page_token: page.token(goes_on.as_deref()),
            })
        })
        .await
    }

    async fn follow_changes(
        &self,
        request: Request<proto::FollowChangesRequest>,
    ) -> Result<Response<Self::FollowChangesStream>, Status> {
        let access = access::of_request(&request);
        let proto::FollowChangesRequest { owner_uin, after_sequence } = request.into_inner();
        call(&self.node, "FollowChanges", owner_uin, async {
            let told = Told { access, owner_uin };
            told.check()?;
            if owner_uin != OPERATOR {
                self.node.existing_view(owner_uin).await?;
            }
            let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD_MAX);
            tokio::spawn(follow(Arc::clone(&self.node), told, after_sequence, sender));
            Ok(Box::pin(ReceiverStream::new(receiver)) as Self::FollowChangesStream)
        })
        .await
    }
}
