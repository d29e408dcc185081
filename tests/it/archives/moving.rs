//! From sled to etcd and back: the same contents, and the same answers to every question.

use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::service::proto as pb;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::store::archive::ArchiveError;
use camgate::store::{NodeEntry, SledStore, Store};
use tonic::transport::Channel;

use super::{export, filled, import, verify};
use crate::command::{Served, offline};
use crate::support::etcd::{Cluster, free_ports};

/// Most entries of a batch.
const BATCH: usize = 100;
const ROOT: u64 = 12_345_678;

fn start_etcd() -> Cluster {
    let ports = free_ports(1);
    Cluster::start(&ports, &ports)
}

/// Everything about a decision but when and where it was made.
fn recorded(entry: pb::BatchCheckEntry) -> pb::batch_check_entry::Result {
    match entry.result.unwrap() {
        pb::batch_check_entry::Result::Decision(mut decision) => {
            decision.revision.clear();
            decision.decision_id.clear();
            pb::batch_check_entry::Result::Decision(decision)
        }
        error @ pb::batch_check_entry::Result::Error(_) => error,
    }
}

/// Every action of the catalog, by everybody, on every app.
fn questions(uins: &[u64]) -> Vec<pb::CheckRequest> {
    let catalog = Catalog::builtin();
    let apps = ["sdkappid/1400000000", "sdkappid/1400000001", "sdkappid/1400000002", "*"];
    let mut all = Vec::new();
    for action in catalog.all_actions() {
        for uin in uins {
            for app in apps {
                let resource = match app {
                    "*" => "*".to_owned(),
                    app => format!("qcs::im::uin/{ROOT}:{app}"),
                };
                all.push(pb::CheckRequest {
                    principal: Some(pb::Principal {
                        id: Some(pb::principal::Id::Uin(*uin)),
                        owner_uin: ROOT,
                    }),
                    action: action.qualified_name(),
                    resource,
                    accepts_filter: true,
                    ..Default::default()
                });
            }
        }
    }
    all
}

/// What a server answers.
async fn answers(url: String, asked: &[pb::CheckRequest]) -> Vec<pb::batch_check_entry::Result> {
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let mut client = AuthorizationServiceClient::new(channel);
    let mut all = Vec::new();
    for entries in asked.chunks(BATCH) {
        let request = pb::BatchCheckRequest { entries: entries.to_vec(), consistency: None };
        let answer = client.batch_check(request).await.unwrap().into_inner();
        all.extend(answer.entries.into_iter().map(recorded));
    }
    all
}

#[test]
fn a_store_moves_to_etcd_and_back_with_every_answer() {
    let cluster = start_etcd();
    let etcd = format!("etcd:{}", cluster.urls().join(","));
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Served::start(folder, &["--dev"]);
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples");
    let example = examples.join("app-isolation").display().to_string();
    for args in [
        &["apply", &example][..],
        &["key", "create", "alice"],
        &["policy", "attach", "QcloudIMFullAccess", "--user", "bob"],
    ] {
        let ran = server.run(folder, args);
        assert_eq!(ran.status, 0, "{args:?}: {ran:?}");
    }
    let users = server.run(folder, &["user", "list", "--output", "json"]).json();
    let listed = users.as_array().or_else(|| users["sub_accounts"].as_array()).unwrap();
    let mut uins: Vec<u64> = listed.iter().map(|user| user["uin"].as_u64().unwrap()).collect();
    uins.extend([ROOT, 999]);
    let asked = questions(&uins);
    let recorded = runtime.block_on(answers(server.url(), &asked));
    let allowed = recorded.iter().filter(|it| {
        let allow = pb::Outcome::Allow as i32;
        matches!(it, pb::batch_check_entry::Result::Decision(it) if it.outcome == allow)
    });
    assert!((100..asked.len() / 2).contains(&allowed.count()), "the sample has both");
    let digest = |ran: crate::command::Ran| {
        assert_eq!(ran.status, 0, "{ran:?}");
        ran.json()["digest"].as_str().unwrap().to_owned()
    };
    let json = ["--output", "json"];
    let of_sled = digest(server.run(folder, &[&["export", "of-sled"], &json[..]].concat()));
    server.kill();

    let into = ["--store", etcd.as_str()];
    assert_eq!(
        digest(offline(folder, &[&["import", "of-sled"], &into[..], &json[..]].concat())),
        of_sled
    );
    let key = ["--master-key-file", "camgate-data/master.key"];
    let server = Served::start(folder, &[&into[..], &key[..]].concat());
    assert!(runtime.block_on(answers(server.url(), &asked)) == recorded, "answers on etcd");
    // A cluster is asked by whoever reaches it, and by the nodes that run on it.
    let of_etcd = digest(offline(folder, &[&["export", "of-etcd"], &into[..], &json[..]].concat()));
    let of_node = digest(server.run(folder, &[&["export", "of-node"], &json[..]].concat()));
    assert_eq!((of_etcd.as_str(), of_node.as_str()), (of_sled.as_str(), of_sled.as_str()));
    let full = offline(folder, &[&["import", "of-sled"], &into[..]].concat());
    assert_eq!((full.status, full.err.contains("nodes run on the store")), (2, true), "{full:?}");

    let back = ["--store", "sled:back"];
    assert_eq!(
        digest(offline(folder, &[&["import", "of-node"], &back[..], &json[..]].concat())),
        of_sled
    );
    let server = Served::start(folder, &[&back[..], &key[..]].concat());
    assert!(runtime.block_on(answers(server.url(), &asked)) == recorded, "answers on sled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_of_any_size_go_through_etcd() {
    let cluster = tokio::task::spawn_blocking(start_etcd).await.unwrap();
    let bytes = export(&*filled().await).await.unwrap();
    let store = cluster.store("moved").await;
    // A node that runs there keeps everybody out.
    let node = NodeEntry { id: "n1".to_owned(), value: Vec::new() };
    cluster.store("moved").await.announce(&node).await.unwrap();
    let fault = import(&store, &bytes).await.unwrap_err();
    assert!(matches!(&fault, ArchiveError::NodesRun { ids } if ids == &["n1"]), "{fault}");
    let other = cluster.store("other").await;
    let contents = import(&other, &bytes).await.unwrap();
    assert_eq!(verify(&export(&other).await.unwrap()).unwrap(), contents);
    let directory = tempfile::tempdir().unwrap();
    let sled: Arc<dyn Store> = Arc::new(SledStore::open(directory.path()).await.unwrap());
    assert_eq!(import(&*sled, &export(&other).await.unwrap()).await.unwrap(), contents);
}
