//! The decision point: checks, explanations, simulations and searches over the node.
//!
//! It must never decide anything, and never answer one question with another's answer: entries of a
//! batch and of a stream keep their order, and a bad one fails alone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::access;
use super::page::Page;
use super::proto;
use super::proto::authorization_service_server::AuthorizationService;
use super::rpc::{self, call, frequent_call, meter};
use super::status::{ApiError, status};
use super::stream_check::Answers;
use super::wire::request::{self, BATCH_ENTRIES_MAX};
use super::wire::{self, decision};
use crate::directory::service_caller::Right;
use crate::lang::action::ActionName;
use crate::lang::hex::hex;
use crate::node::{
    Access, ActionSearch, Asker, Asking, BatchQuery, CheckQuery, Meter, Node, NodeError,
    PrincipalSearch, Question, ResourceSearch, Surface, Unsettled,
};
use crate::store::Revision;

/// Of the questions of a stream, one in so many is timed.
const TIMED_EVERY: u64 = 16;

/// `camgate.v1.AuthorizationService` over a node.
#[derive(Debug, Clone)]
pub struct Authorization {
    node: Arc<Node>,
    meters: Arc<OftenCalled>,
}

/// The meters of what is called thousands of times a second.
#[derive(Debug)]
struct OftenCalled {
    check: Arc<Meter>,
    batch_check: Arc<Meter>,
    stream_check: Arc<Meter>,
}

impl Authorization {
    /// The service of this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        let meters = OftenCalled {
            check: meter(&node, "Check"),
            batch_check: meter(&node, "BatchCheck"),
            stream_check: meter(&node, "StreamCheck"),
        };
        Self { node, meters: Arc::new(meters) }
    }

    async fn check_one(
        &self,
        surface: Surface,
        access: &Access,
        check: proto::CheckRequest,
    ) -> Result<proto::Decision, NodeError> {
        access.check_any(Right::Check)?;
        let at_least = request::at_least(&self.node, check.consistency.as_ref());
        let asked = request::Asked::read(&self.node, check)?;
        let question = asked.question(&self.node)?;
        // What is wrong with a question is said before anything is waited for.
        let mut batch = self.node.begin(Asking::by(surface, access), at_least?).await?;
        let decision = self.decide(&mut batch, question).await?;
        self.node.settle(decision).await
    }

    async fn decide(
        &self,
        batch: &mut BatchQuery,
        question: Question<'_>,
    ) -> Result<Unsettled<proto::Decision>, NodeError> {
        self.node.decide(batch, question, |it| decision::decided(&self.node, it)).await
    }

    async fn batch(
        &self,
        access: &Access,
        batch: proto::BatchCheckRequest,
    ) -> Result<proto::BatchCheckResponse, NodeError> {
        access.check_any(Right::Check)?;
        let proto::BatchCheckRequest { entries, consistency } = batch;
        request::at_most("entries", "entries", BATCH_ENTRIES_MAX, entries.len())?;
        let at_least = request::at_least(&self.node, consistency.as_ref())?;
        let asking = Asking::by(Surface::BatchCheck, access);
        let mut batch = self.node.begin(asking, at_least).await?;
        let mut answers = Unsettled::free(Vec::with_capacity(entries.len()));
        for entry in entries {
            let answer = match request::Asked::read_entry(&self.node, entry) {
                Ok(asked) => match asked.question(&self.node) {
                    Ok(question) => self.decide(&mut batch, question).await,
                    Err(fault) => Err(fault),
                },
                Err(fault) => Err(fault),
            };
            answers.push(match answer {
                Ok(decision) => decision.map(|decision| batch_entry(Ok(decision))),
                Err(fault) => Unsettled::free(batch_entry(Err(fault))),
            });
        }
        let entries = self.node.settle(answers).await?;
        Ok(proto::BatchCheckResponse { entries, revision: self.node.token(batch.revision()) })
    }

    async fn simulated(
        &self,
        access: &Access,
        simulation: proto::SimulateRequest,
    ) -> Result<proto::SimulateResponse, NodeError> {
        access.check_any(Right::Explain)?;
        let (simulation, at_least) = request::simulation(&self.node, simulation)?;
        let mut batch = self.node.begin(Asking::by(Surface::Simulate, access), at_least).await?;
        let simulated = self.node.simulate(&mut batch, simulation).await?;
        let (traces, missing_keys, _) = decision::explanation(&simulated.simulated);
        Ok(proto::SimulateResponse {
            decision: Some(decision::decision(&self.node, simulated.simulated.answer)),
            traces,
            missing_keys,
            stored: Some(decision::decision(&self.node, simulated.stored)),
            findings: wire::findings(&simulated.findings),
        })
    }

    async fn resources(
        &self,
        access: &Access,
        search: proto::ListResourcesRequest,
    ) -> Result<proto::ListResourcesResponse, NodeError> {
        access.check_any(Right::Explain)?;
        let list = list_name(
            "resources",
            &proto::ListResourcesRequest { page: None, consistency: None, ..search.clone() },
        );
        let proto::ListResourcesRequest { principal, action, context, consistency, page } = search;
        let page = Page::read(page, &list)?;
        let query = CheckQuery {
            asker: request::asker(&self.node, principal)?,
            action: request::action(&action)?,
            resource: request::resource("*")?,
            context: request::context(context)?,
            accepts_filter: true,
        };
        access.check_service(query.action.service())?;
        let after = page.after_number()?;
        let mut batch = self.begin(access, consistency).await?;
        let search = ResourceSearch { query, after, limit: page.limit };
        let found = self.node.list_resources(&mut batch, search).await?;
        access.check(Right::Explain, found.owner_uin)?;
        let last = found.page.next.map(|last| last.to_string());
        Ok(proto::ListResourcesResponse {
            resources: self.app_names(&action, found.owner_uin, &found.page.items)?,
            next_page_token: page.token(last.as_deref()),
            revision: self.token(found.revision),
            stale_ms: found.stale_ms,
        })
    }

    /// The six-segment names of apps, as the action's catalog writes them.
    fn app_names(
        &self,
        action: &str,
        owner_uin: u64,
        sdkappids: &[u64],
    ) -> Result<Vec<String>, NodeError> {
        let name = request::action(action)?;
        let catalog = self.node.catalog();
        let kind = catalog.action(name.service(), name.name()).and_then(|action| {
            let service = catalog.service(&action.service)?;
            service.resource_type(action.resource_type.as_deref()?)
        });
        let Some(kind) = kind else { return Ok(Vec::new()) };
        Ok(sdkappids.iter().map(|id| kind.name_of(owner_uin, &id.to_string())).collect())
    }

    async fn actions(
        &self,
        access: &Access,
        search: proto::ListActionsRequest,
    ) -> Result<proto::ListActionsResponse, NodeError> {
        access.check_any(Right::Explain)?;
        let list = list_name(
            "actions",
            &proto::ListActionsRequest { page: None, consistency: None, ..search.clone() },
        );
        let proto::ListActionsRequest { principal, resource, service, context, consistency, page } =
            search;
        let page = Page::read(page, &list)?;
        let asker = request::asker(&self.node, principal)?;
        // Without a service the search is about all of them.
        access.check_service(if service.is_empty() { "*" } else { &service })?;
        let after = page.after.as_deref().map(ActionName::parse).transpose();
        let search = ActionSearch {
            asker,
            resource: request::resource(&resource)?,
            service: (!service.is_empty()).then_some(service),
            context: request::context(context)?,
            after: after.map_err(|_| NodeError::BadPageToken { token: String::new() })?,
            limit: page.limit,
        };
        let mut batch = self.begin(access, consistency).await?;
        let found = self.node.list_actions(&mut batch, search).await?;
        access.check(Right::Explain, found.owner_uin)?;
        let last = found.page.next.map(|last| last.to_string());
        Ok(proto::ListActionsResponse {
            actions: found.page.items.iter().map(ToString::to_string).collect(),
            next_page_token: page.token(last.as_deref()),
            revision: self.token(found.revision),
            stale_ms: found.stale_ms,
        })
    }

    async fn principals(
        &self,
        access: &Access,
        search: proto::ListPrincipalsRequest,
    ) -> Result<proto::ListPrincipalsResponse, NodeError> {
        access.check_any(Right::Explain)?;
        let list = list_name(
            "principals",
            &proto::ListPrincipalsRequest { page: None, consistency: None, ..search.clone() },
        );
        let proto::ListPrincipalsRequest {
            owner_uin,
            action,
            resource,
            context,
            consistency,
            page,
        } = search;
        let page = Page::read(page, &list)?;
        let owner_uin = request::required("owner_uin", owner_uin)?;
        let query = CheckQuery {
            asker: Asker::Uin { uin: owner_uin, owner_uin: Some(owner_uin) },
            action: request::action(&action)?,
            resource: request::resource(&resource)?,
            context: request::context(context)?,
            accepts_filter: true,
        };
        access.check_service(query.action.service())?;
        let search =
            PrincipalSearch { owner_uin, query, after: page.after_number()?, limit: page.limit };
        let mut batch = self.begin(access, consistency).await?;
        let found = self.node.list_principals(&mut batch, search).await?;
        access.check(Right::Explain, found.owner_uin)?;
        let last = found.page.next.map(|last| last.to_string());
        Ok(proto::ListPrincipalsResponse {
            uins: found.page.items,
            next_page_token: page.token(last.as_deref()),
            revision: self.token(found.revision),
            stale_ms: found.stale_ms,
        })
    }

    async fn begin(
        &self,
        access: &Access,
        consistency: Option<proto::Consistency>,
    ) -> Result<BatchQuery, NodeError> {
        let at_least = request::at_least(&self.node, consistency.as_ref())?;
        self.node.begin(Asking::by(Surface::Search, access), at_least).await
    }

    fn token(&self, revision: Revision) -> String {
        self.node.token(revision)
    }
}

/// What a search's page tokens belong to: the search itself, without page and freshness.
fn list_name(kind: &str, search: &impl prost::Message) -> String {
    format!("{kind} {}", hex(&search.encode_to_vec()))
}

fn batch_entry(result: Result<proto::Decision, NodeError>) -> proto::BatchCheckEntry {
    entry_of(result.map_err(ApiError::from))
}

fn entry_of(result: Result<proto::Decision, ApiError>) -> proto::BatchCheckEntry {
    use proto::batch_check_entry::Result as Entry;
    let result = match result {
        Ok(decision) => Entry::Decision(decision),
        Err(ApiError { code, message, .. }) => {
            let code = i32::from(code).unsigned_abs();
            Entry::Error(proto::EntryError { code, message })
        }
    };
    proto::BatchCheckEntry { result: Some(result) }
}

/// The owner that a question names, for the log.
fn named_owner(principal: Option<&proto::Principal>) -> u64 {
    principal.map(|principal| principal.owner_uin).unwrap_or_default()
}

#[tonic::async_trait]
impl AuthorizationService for Authorization {
    async fn check(
        &self,
        request: Request<proto::CheckRequest>,
    ) -> Result<Response<proto::CheckResponse>, Status> {
        let access = access::of_request(&request);
        let request = request.into_inner();
        let owner = named_owner(request.principal.as_ref());
        frequent_call(&self.node, &self.meters.check, owner, async {
            let decision = Some(self.check_one(Surface::Check, &access, request).await?);
            Ok(proto::CheckResponse { decision })
        })
        .await
    }

    async fn batch_check(
        &self,
        request: Request<proto::BatchCheckRequest>,
    ) -> Result<Response<proto::BatchCheckResponse>, Status> {
        let access = access::of_request(&request);
        let work = self.batch(&access, request.into_inner());
        frequent_call(&self.node, &self.meters.batch_check, 0, work).await
    }

    type StreamCheckStream =
        Pin<Box<dyn Stream<Item = Result<proto::BatchCheckEntry, Status>> + Send>>;

    async fn stream_check(
        &self,
        request: Request<Streaming<proto::CheckRequest>>,
    ) -> Result<Response<Self::StreamCheckStream>, Status> {
        let (service, access) = (self.clone(), access::of_request(&request));
        access.check_any(Right::Check).map_err(|error| status(error.into()))?;
        let (open, asked) = (self.meters.stream_check.open(), AtomicU64::new(0));
        let answer = move |question: proto::CheckRequest| {
            let _until_the_stream_ends = &open;
            let service = service.clone();
            let is_timed = asked.fetch_add(1, Ordering::Relaxed) % TIMED_EVERY == 0;
            // A stream goes on for long: what its caller may is looked up for each question.
            let access = service.node.access_now(&access);
            async move {
                let (node, meter) = (&service.node, &service.meters.stream_check);
                let owner = named_owner(question.principal.as_ref());
                let work = service.check_one(Surface::StreamCheck, &access, question);
                entry_of(rpc::question(node, meter, is_timed, owner, work).await)
            }
        };
        let answers = Answers::new(&self.node, request.into_inner(), answer);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn explain(
        &self,
        request: Request<proto::ExplainRequest>,
    ) -> Result<Response<proto::ExplainResponse>, Status> {
        let access = access::of_request(&request);
        let proto::ExplainRequest { check } = request.into_inner();
        let owner = named_owner(check.as_ref().and_then(|check| check.principal.as_ref()));
        call(&self.node, "Explain", owner, async {
            access.check_any(Right::Explain)?;
            let check = request::explained(check)?;
            let (query, at_least) = request::check(&self.node, check)?;
            let asking = Asking::by(Surface::Explain, &access);
            let mut batch = self.node.begin(asking, at_least).await?;
            let explained = self.node.explain(&mut batch, query).await?;
            let (traces, missing_keys, summary) = decision::explanation(&explained);
            let decision = Some(decision::decision(&self.node, explained.answer));
            Ok(proto::ExplainResponse { decision, traces, missing_keys, summary })
        })
        .await
    }

    async fn simulate(
        &self,
        request: Request<proto::SimulateRequest>,
    ) -> Result<Response<proto::SimulateResponse>, Status> {
        let access = access::of_request(&request);
        call(&self.node, "Simulate", 0, self.simulated(&access, request.into_inner())).await
    }

    async fn list_resources(
        &self,
        request: Request<proto::ListResourcesRequest>,
    ) -> Result<Response<proto::ListResourcesResponse>, Status> {
        let access = access::of_request(&request);
        let request = request.into_inner();
        let owner = named_owner(request.principal.as_ref());
        call(&self.node, "ListResources", owner, self.resources(&access, request)).await
    }

    async fn list_actions(
        &self,
        request: Request<proto::ListActionsRequest>,
    ) -> Result<Response<proto::ListActionsResponse>, Status> {
        let access = access::of_request(&request);
        let request = request.into_inner();
        let owner = named_owner(request.principal.as_ref());
        call(&self.node, "ListActions", owner, self.actions(&access, request)).await
    }

    async fn list_principals(
        &self,
        request: Request<proto::ListPrincipalsRequest>,
    ) -> Result<Response<proto::ListPrincipalsResponse>, Status> {
        let access = access::of_request(&request);
        let request = request.into_inner();
        call(&self.node, "ListPrincipals", request.owner_uin, self.principals(&access, request))
            .await
    }
}
