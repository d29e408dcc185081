//! What an account takes in etcd, and how long a node takes to load one: the figures that
//! `examples/cells.rs` reckons with, measured.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camgate::authn::vault::master_key::MasterKey;
use camgate::catalog::Catalog;
use camgate::node::{Node, NodeSettings, SystemClock};
use camgate::service::proto;
use camgate::store::EtcdStore;
use etcd_client::{Client, CompactionOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::etcd::{Cluster, free_ports};
use crate::server::{Server, administration, authorization};

/// Accounts of each size.
const ACCOUNTS: u64 = 120;
/// Sub-accounts of a large one; one commit holds no more on etcd.
const SUB_ACCOUNTS: u64 = 20;

/// Sub-accounts of the one whose loading is timed.
const SUB_ACCOUNTS_MORE: u64 = 500;

/// A constant of the example.
fn reckoned(name: &str) -> f64 {
    let text = include_str!("../../examples/cells.rs");
    let line = text.lines().find(|line| line.starts_with(&format!("const {name}:"))).unwrap();
    let value = line.split_once("= ").unwrap().1.trim_end_matches(';').replace('_', "");
    value.parse().unwrap()
}

/// Bytes of the data file without its past and its holes.
async fn stored_bytes(client: &mut Client) -> i64 {
    let now = client.get("none", None).await.unwrap().header().unwrap().revision();
    client.compact(now, Some(CompactionOptions::new().with_physical())).await.unwrap();
    client.defragment().await.unwrap();
    client.status().await.unwrap().db_size()
}

fn policy(owner_uin: u64) -> Vec<u8> {
    let of = |app: u64| format!("qcs::im::uin/{owner_uin}:sdkappid/{app}");
    let document = json!({"version": "2.0", "statement": [
        {"effect": "allow", "action": ["im:Describe*", "im:SetConfInfo"], "resource": of(1)},
        {"effect": "deny", "action": "im:DeleteSdkappid", "resource": "*"},
    ]});
    serde_json::to_vec_pretty(&document).unwrap()
}

/// Accounts with two apps, two policies, two groups, and so many sub-accounts.
async fn make(url: &str, first: u64, sub_accounts: u64) {
    let mut admin = administration(url);
    for owner_uin in first..first + ACCOUNTS {
        let app_id = 1_300_000_000 + owner_uin % 1_000_000;
        let request = proto::CreateAccountRequest { owner_uin, app_id, options: None };
        admin.create_account(request).await.unwrap();
        let users: Vec<Value> = (0..sub_accounts)
            .map(|at| {
                let (uin, groups) = (owner_uin * 1_000 + at, json!([format!("组-{}", at % 2)]));
                json!({"uin": uin, "name": format!("user-{at}"), "kind": "sub_user",
                    "remark": "运营团队", "groups": groups})
            })
            .collect();
        let groups: Vec<Value> = (0..2)
            .map(|at| json!({"name": format!("组-{at}"), "policies": [format!("policy-{at}")]}))
            .collect();
        let app = |at: u64| json!({"sdkappid": owner_uin * 10 + at, "name": format!("应用-{at}")});
        let account = json!({"owner_uin": owner_uin, "app_id": app_id, "apps": [app(1), app(2)],
            "sub_accounts": users, "groups": groups});
        let file = |path: &str, content: Vec<u8>| proto::FolderFile { path: path.into(), content };
        let files = vec![
            file("account.json", serde_json::to_vec(&account).unwrap()),
            file("policies/policy-0.json", policy(owner_uin)),
            file("policies/policy-1.json", policy(owner_uin)),
        ];
        let request = proto::ApplyAccountRequest { owner_uin, files, ..Default::default() };
        admin.apply_account(request).await.unwrap();
    }
}

/// How long the first and the second question about each account take, at the median.
async fn answer_times(url: &str, first: u64) -> (Duration, Duration) {
    let mut client = authorization(url);
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for owner_uin in first..first + ACCOUNTS {
        for times in [&mut cold, &mut warm] {
            let uin = owner_uin * 1_000;
            let request = proto::CheckRequest {
                principal: Some(proto::Principal {
                    id: Some(proto::principal::Id::Uin(uin)),
                    owner_uin,
                }),
                action: "im:SetConfInfo".to_owned(),
                resource: format!("qcs::im::uin/{owner_uin}:sdkappid/1"),
                ..Default::default()
            };
            let asked = Instant::now();
            let answer = client.check(request).await.unwrap().into_inner();
            times.push(asked.elapsed());
            assert_eq!(answer.decision.unwrap().outcome, 1, "{owner_uin}");
        }
    }
    cold.sort();
    warm.sort();
    (cold[cold.len() / 2], warm[warm.len() / 2])
}

/// Gives an account as many sub-accounts more.
async fn add_sub_accounts(url: &str, owner_uin: u64, count: u64) {
    let mut admin = administration(url);
    for at in 0..count {
        let name = format!("more-{at}");
        let request = proto::CreateSubAccountRequest { owner_uin, name, ..Default::default() };
        admin.create_sub_account(request).await.unwrap();
    }
}

/// A node of this process, with nothing in memory.
async fn node(store: EtcdStore, key: &Path) -> Arc<Node> {
    let settings = NodeSettings {
        master_key: Some(MasterKey::read_file(key).unwrap()),
        ..NodeSettings::default()
    };
    let catalog = Arc::new(Catalog::builtin().clone());
    let (store, clock) = (Arc::new(store), Arc::new(SystemClock));
    Node::start(store, catalog, clock, None, settings).await.unwrap()
}

/// What each of the accounts takes in a node's memory, as the node reckons for its budget.
async fn memory_bytes(node: &Node, first: u64) -> f64 {
    let before = node.loaded_bytes();
    for owner_uin in first..first + ACCOUNTS {
        assert!(node.view(owner_uin).await.unwrap().is_some(), "{owner_uin}");
    }
    (node.loaded_bytes() - before) as f64 / ACCOUNTS as f64
}

/// How long it takes until the account is loaded.
async fn load_time(node: &Node, owner_uin: u64) -> Duration {
    let asked = Instant::now();
    assert!(node.view(owner_uin).await.unwrap().is_some(), "{owner_uin}");
    asked.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accounts_take_in_etcd_what_the_scaling_page_reckons_with() {
    let ports = free_ports(1);
    let cluster =
        tokio::task::spawn_blocking(move || Cluster::start(&ports, &ports)).await.unwrap();
    let dir = TempDir::new().unwrap();
    let key = dir.path().join("master.key");
    MasterKey::generate().unwrap().create_file(&key).unwrap();
    let start = || tokio::task::block_in_place(|| Server::start(&cluster.urls(), &key));
    let server = start();
    let store = || cluster.store("camgate");
    let mut client = Client::connect(cluster.urls(), None).await.unwrap();
    let (small, large) = (20_000_000, 30_000_000);
    let nothing = stored_bytes(&mut client).await;
    make(&server.url, small, 0).await;
    let with_small = stored_bytes(&mut client).await;
    make(&server.url, large, SUB_ACCOUNTS).await;
    let with_large = stored_bytes(&mut client).await;
    let each = |bytes: i64| bytes as f64 / ACCOUNTS as f64;
    let account = each(with_small - nothing);
    let sub_account = (each(with_large - with_small) - account) / SUB_ACCOUNTS as f64;
    server.kill();
    // Another node has nothing in memory.
    let server = start();
    let (cold, warm) = answer_times(&server.url, large).await;
    let in_process = node(store().await, &key).await;
    let loaded = memory_bytes(&in_process, small).await;
    let loaded_sub_account =
        (memory_bytes(&in_process, large).await - loaded) / SUB_ACCOUNTS as f64;
    in_process.end();
    println!(
        "cluster: in memory an account takes {loaded:.0} bytes and a sub-account \
         {loaded_sub_account:.0}"
    );
    add_sub_accounts(&server.url, small, SUB_ACCOUNTS_MORE).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let in_process = node(store().await, &key).await;
        times.push((load_time(&in_process, small + 1).await, load_time(&in_process, small).await));
        in_process.end();
    }
    times.sort();
    println!(
        "cluster: an account without sub-accounts is loaded in {:?}, one of {SUB_ACCOUNTS_MORE} \
         in {:?}",
        times[2].0, times[2].1
    );
    println!(
        "cluster: in etcd an account takes {account:.0} bytes and a sub-account {sub_account:.0}; \
         the first answer about an account of {SUB_ACCOUNTS} takes {cold:?}, the next {warm:?}"
    );
    for (name, measured) in [
        ("ACCOUNT_BYTES", loaded),
        ("SUB_ACCOUNT_BYTES", loaded_sub_account),
        ("STORED_ACCOUNT_BYTES", account),
        ("STORED_SUB_ACCOUNT_BYTES", sub_account),
    ] {
        let ratio = measured / reckoned(name);
        assert!((0.6..1.6).contains(&ratio), "{name}: {measured:.0} were measured");
    }
    assert!(cold < Duration::from_millis(100), "{cold:?}");
}
