//! The real server, over a node with an account of a thousand sub-accounts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use camgate::audit::decision_log::DecisionLogSettings;
use camgate::catalog::Catalog;
use camgate::node::{Node, NodeSettings, SystemClock};
use camgate::service::proto;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::service::{GrpcServer, GrpcSettings};
use camgate::store::MemoryStore;

use crate::workload::{OWNER, Workload, document};

const SUB_ACCOUNTS: usize = 200;
const ATTACHED: usize = 10;
/// Different questions.
const QUESTIONS: usize = 2_000;

/// Answers that the empty handler gives in turn, so that its messages are as long as ours.
const ANSWERS: usize = 256;

/// A server and what it is asked.
pub struct Server {
    pub address: SocketAddr,
    pub questions: Vec<proto::CheckRequest>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(NodeSettings::default()).await
    }

    /// With a decision log.
    pub async fn start_logged(log: DecisionLogSettings) -> Self {
        Self::start_with(NodeSettings { decision_log: Some(log), ..NodeSettings::default() }).await
    }

    async fn start_with(settings: NodeSettings) -> Self {
        let catalog = Arc::new(Catalog::builtin().clone());
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(SystemClock));
        let node = Node::start(store, catalog, clock, None, settings);
        let node = node.await.expect("a node");
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = GrpcServer::bind(node, loopback, GrpcSettings::default());
        let server = server.await.expect("a free port");
        let address = server.address();
        tokio::spawn(server.serve(std::future::pending(), Duration::from_secs(1)));
        let questions = fill(address).await;
        Self { address, questions }
    }

    /// Answers of each kind as the server gives them.
    pub async fn answers(&self) -> Answers {
        let mut client = client(self.address).await;
        let mut checks = Vec::new();
        for question in &self.questions[..ANSWERS] {
            checks.push(client.check(question.clone()).await.expect("an answer").into_inner());
        }
        let entries = self.questions[..super::BATCH].to_vec();
        let batch = proto::BatchCheckRequest { entries, consistency: None };
        let batch = client.batch_check(batch).await.expect("an answer");
        Answers { checks, batch: batch.into_inner() }
    }
}

/// What the empty handler answers always.
#[derive(Debug, Clone)]
pub struct Answers {
    pub checks: Vec<proto::CheckResponse>,
    pub batch: proto::BatchCheckResponse,
}

async fn client(address: SocketAddr) -> AuthorizationServiceClient<tonic::transport::Channel> {
    AuthorizationServiceClient::connect(format!("http://{address}")).await.expect("a connection")
}

/// Makes the account by its own interface.
async fn fill(address: SocketAddr) -> Vec<proto::CheckRequest> {
    let uri = format!("http://{address}");
    let mut admin = AdministrationServiceClient::connect(uri).await.expect("a connection");
    let account =
        proto::CreateAccountRequest { owner_uin: OWNER, app_id: 1_250_000_001, options: None };
    admin.create_account(account).await.expect("an account");
    let workload = Workload::new(SUB_ACCOUNTS, ATTACHED, 20, 100, false);
    let mut ids = Vec::new();
    for (at, rule) in workload.rules.iter().enumerate() {
        let policy = proto::CreatePolicyRequest {
            owner_uin: OWNER,
            name: format!("policy-{at}"),
            document: document(rule, &workload.actions, false, OWNER),
            ..Default::default()
        };
        let made = admin.create_policy(policy).await.expect("a policy").into_inner();
        ids.push(made.policy.expect("a policy").policy_id);
    }
    let mut uins = Vec::new();
    for at in 0..SUB_ACCOUNTS {
        let user = proto::CreateSubAccountRequest {
            owner_uin: OWNER,
            name: format!("user-{at}"),
            ..Default::default()
        };
        let made = admin.create_sub_account(user).await.expect("a user").into_inner();
        let uin = made.sub_account.expect("a user").uin;
        let mut policies = workload.sets[at % workload.sets.len()].clone();
        policies.sort_unstable();
        policies.dedup();
        for policy in policies {
            let attach = proto::AttachPolicyRequest {
                owner_uin: OWNER,
                policy_id: ids[policy],
                uin,
                ..Default::default()
            };
            admin.attach_policy(attach).await.expect("an attachment");
        }
        uins.push(uin);
    }
    let mut rng = crate::workload::Rng::new(5);
    (0..QUESTIONS)
        .map(|_| {
            let asked = workload.question(&mut rng, usize::MAX);
            let users = SUB_ACCOUNTS / workload.sets.len();
            let uin = uins[rng.below(users) * workload.sets.len() + asked.set];
            proto::CheckRequest {
                principal: Some(proto::Principal {
                    id: Some(proto::principal::Id::Uin(uin)),
                    owner_uin: 0,
                }),
                action: asked.action,
                resource: asked.resource,
                ..Default::default()
            }
        })
        .collect()
}
