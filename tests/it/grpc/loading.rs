//! Accounts that come and go in memory, and nodes that fall behind the store's history.

use std::sync::Arc;

use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::store::{ChangeRetention, MemoryStore, Store};

use super::{ALLOW_ALL, ROOT, TestServer, question};

fn owner(number: u64) -> u64 {
    ROOT + number
}

async fn create_account(server: &TestServer, owner_uin: u64) -> u64 {
    let mut admin = server.admin.clone();
    let request = pb::CreateAccountRequest { owner_uin, app_id: owner_uin, options: None };
    admin.create_account(request).await.unwrap();
    let request =
        pb::CreateSubAccountRequest { owner_uin, name: "alice".to_owned(), ..Default::default() };
    admin.create_sub_account(request).await.unwrap().into_inner().sub_account.unwrap().uin
}

async fn create_policy(server: &TestServer, owner_uin: u64) -> u64 {
    let request = pb::CreatePolicyRequest {
        owner_uin,
        name: "all".to_owned(),
        document: ALLOW_ALL.to_owned(),
        ..Default::default()
    };
    let answer = server.admin.clone().create_policy(request).await.unwrap().into_inner();
    answer.policy.unwrap().policy_id
}

/// Attaches or detaches, and gives the token.
async fn grant(server: &TestServer, owner_uin: u64, policy_id: u64, uin: u64, on: bool) -> String {
    let mut admin = server.admin.clone();
    let result = if on {
        let request = pb::AttachPolicyRequest { owner_uin, policy_id, uin, ..Default::default() };
        admin.attach_policy(request).await.unwrap().into_inner().result
    } else {
        let request = pb::DetachPolicyRequest { owner_uin, policy_id, uin, ..Default::default() };
        admin.detach_policy(request).await.unwrap().into_inner().result
    };
    result.unwrap().revision
}

async fn is_allowed(server: &TestServer, uin: u64, token: &str) -> bool {
    let mut request = question(uin, "im:SendMsg", "*");
    request.consistency = Some(pb::Consistency { at_least: token.to_owned() });
    let answer = server.authz.clone().check(request).await.unwrap().into_inner();
    answer.decision.unwrap().outcome() == pb::Outcome::Allow
}

/// Many accounts in little room: every reader still sees every write it has the token of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evicted_accounts_answer_as_before() {
    const ACCOUNTS: u64 = 12;
    let settings = NodeSettings { accounts_loaded_max: 3, ..Default::default() };
    let server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    let server = Arc::new(server);
    let mut tasks = Vec::new();
    for number in 0..ACCOUNTS {
        let server = Arc::clone(&server);
        tasks.push(tokio::spawn(async move {
            let owner_uin = owner(number);
            let uin = create_account(&server, owner_uin).await;
            let policy = create_policy(&server, owner_uin).await;
            for round in 0..20 {
                let on = round % 2 == 0;
                let token = grant(&server, owner_uin, policy, uin, on).await;
                assert_eq!(is_allowed(&server, uin, &token).await, on, "{owner_uin} {round}");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // Some of these must be loaded again, now that nothing is written, and that makes room.
    for number in 0..ACCOUNTS {
        let mut request = question(owner(number), "im:SendMsg", "*");
        request.principal.as_mut().unwrap().owner_uin = owner(number);
        server.authz.clone().check(request).await.unwrap();
    }
    // Asking about accounts that do not exist leaves nothing behind.
    for number in 0..50 {
        let mut request = question(1, "im:SendMsg", "*");
        request.principal.as_mut().unwrap().owner_uin = 900_000_000 + number;
        server.authz.clone().check(request).await.unwrap();
    }
    assert!(server.node.loaded_accounts() <= 3, "{} loaded", server.node.loaded_accounts());
    Arc::into_inner(server).unwrap().stop().await;
}

/// Accounts that together take several times the budget: all are served, and few stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loaded_accounts_keep_to_the_budget() {
    const ACCOUNTS: u64 = 30;
    const BUDGET_BYTES: usize = 40_000;
    let settings = NodeSettings { memory_budget_bytes: BUDGET_BYTES, ..Default::default() };
    let server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    let mut uins = Vec::new();
    for number in 0..ACCOUNTS {
        let uin = create_account(&server, owner(number)).await;
        let policy = create_policy(&server, owner(number)).await;
        grant(&server, owner(number), policy, uin, number % 2 == 0).await;
        uins.push(uin);
    }
    let mut most = 0;
    for round in 0..3 {
        for (number, uin) in uins.iter().enumerate() {
            let allowed = is_allowed(&server, *uin, "").await;
            assert_eq!(allowed, number % 2 == 0, "round {round}, account {number}");
            assert!(server.node.loaded_bytes() <= BUDGET_BYTES, "{}", server.node.loaded_bytes());
            most = most.max(server.node.loaded_accounts());
        }
    }
    assert!((2..10).contains(&most), "{most} accounts were in memory at once");
    // One that does not fit is served alone.
    let one = server.node.loaded_bytes() / server.node.loaded_accounts();
    server.stop().await;
    let settings = NodeSettings { memory_budget_bytes: one / 2, ..Default::default() };
    let server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    for number in 0..3 {
        let uin = create_account(&server, owner(number)).await;
        let policy = create_policy(&server, owner(number)).await;
        let token = grant(&server, owner(number), policy, uin, true).await;
        assert!(is_allowed(&server, uin, &token).await);
        assert_eq!(server.node.loaded_accounts(), 1);
    }
    server.stop().await;
}

/// A store that keeps one change: a node that is late reads everything again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_misses_changes_reads_again() {
    let retention = ChangeRetention { sets_max: 1, bytes_max: 1 };
    let store: Arc<dyn Store> = Arc::new(MemoryStore::with_retention(retention));
    let settings = || NodeSettings { watch_retry_ms: 5, ..Default::default() };
    let first = TestServer::start(Arc::clone(&store), None, settings()).await;
    let second = TestServer::start(Arc::clone(&store), None, settings()).await;
    let uin = create_account(&first, ROOT).await;
    let policy = create_policy(&first, ROOT).await;
    let mut token = String::new();
    for round in 0..60 {
        let on = round % 2 == 0;
        token = grant(&first, ROOT, policy, uin, on).await;
        // Changes in a row without anybody in between: the followers cannot get each.
        for number in 0..20_u8 {
            let key = vec![b'z', number];
            store.commit(camgate::store::Commit::new().put(key, vec![round])).await.unwrap();
        }
        assert_eq!(is_allowed(&second, uin, &token).await, on, "{round}");
        assert_eq!(is_allowed(&first, uin, &token).await, on, "{round}");
    }
    assert!(!is_allowed(&second, uin, &token).await);
    assert!(second.node.readiness().borrow().is_ready());
    first.stop().await;
    second.stop().await;
}
