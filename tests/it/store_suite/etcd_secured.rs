//! A cluster that wants certificates, and one that wants a user: who is let in, and what is said to
//! who is not.

use std::fs;
use std::path::Path;

use camgate::store::{
    Commit, EtcdCredentials, EtcdOptions, EtcdStore, EtcdTls, NodeEntry, Store, StoreError,
};
use etcd_client::{Client, Permission, PermissionType};

use super::next_change;
use crate::command::command;
use crate::support::authority::{Authority, Pair};
use crate::support::etcd::{Cluster, free_ports, within};

/// A member that is reached by TLS and wants its clients' certificates.
async fn start_tls(folder: &Path, authority: &Authority) -> Cluster {
    let server = authority.sign("etcd");
    for (name, content) in
        [("ca.pem", &authority.pem()), ("etcd.pem", &server.certificate), ("etcd.key", &server.key)]
    {
        fs::write(folder.join(name), content).unwrap();
    }
    let file = |name: &str| folder.join(name).display().to_string();
    let arguments = vec![
        format!("--trusted-ca-file={}", file("ca.pem")),
        format!("--cert-file={}", file("etcd.pem")),
        format!("--key-file={}", file("etcd.key")),
        "--client-cert-auth=true".to_owned(),
    ];
    let start = move || {
        let ports = free_ports(1);
        Cluster::start_with(&ports, &ports, "https", &arguments)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

async fn refusal(options: EtcdOptions) -> String {
    match EtcdStore::open(options).await {
        Err(StoreError::Unavailable { detail }) => detail,
        other => panic!("it was let in: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_wanted_on_both_sides() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, another) = (Authority::new("ours"), Authority::new("another"));
    let cluster = start_tls(directory.path(), &ours).await;
    let options = |ca: Option<&Authority>, identity: Option<&Pair>| EtcdOptions {
        members: cluster.urls(),
        prefix: "secured".to_owned(),
        credentials: None,
        tls: Some(EtcdTls {
            ca: ca.map(|it| it.pem().into_bytes()),
            identity: identity.map(Pair::identity),
        }),
    };
    let (client, stranger) = (ours.sign("camgate"), another.sign("camgate"));
    let store = EtcdStore::open(options(Some(&ours), Some(&client))).await.unwrap();
    let head = store.commit(Commit::new().put("策略", "1")).await.unwrap();
    assert_eq!(store.read("策略".as_bytes()).await.unwrap().0.unwrap().revision, head);
    let (unknown, closed) = ("UnknownIssuer", "it may want a client's certificate");
    for (what, part, refused) in [
        ("another authority", unknown, options(Some(&another), Some(&client))),
        ("the system's authorities", unknown, options(None, Some(&client))),
        ("no certificate of the client", closed, options(Some(&ours), None)),
        ("a client that somebody else signed", closed, options(Some(&ours), Some(&stranger))),
    ] {
        let detail = refusal(refused).await;
        let url = &cluster.urls()[0];
        assert!(detail.contains(url) && detail.contains(part), "{what}: {detail}");
    }
}

const PREFIX: &str = "guarded";

fn with_user(cluster: &Cluster, user: Option<(&str, &str)>) -> EtcdOptions {
    let credentials = user.map(|(user, password)| EtcdCredentials {
        user: user.to_owned(),
        password: password.to_owned(),
    });
    EtcdOptions { members: cluster.urls(), prefix: PREFIX.to_owned(), credentials, tls: None }
}

/// Users of a cluster: one that may use the prefix, one that may only read it, one with nothing.
async fn guard(cluster: &Cluster) {
    let mut client = Client::connect(cluster.urls(), None).await.unwrap();
    client.role_add("root").await.unwrap();
    client.user_add("root", "root-password", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    for (user, permission) in [
        ("camgate", Some(PermissionType::Readwrite)),
        ("reader", Some(PermissionType::Read)),
        ("nobody", None),
    ] {
        client.role_add(user).await.unwrap();
        client.user_add(user, format!("{user} 的密码"), None).await.unwrap();
        client.user_grant_role(user, user).await.unwrap();
        if let Some(permission) = permission {
            let permission = Permission::new(permission, format!("{PREFIX}/"));
            client.role_grant_permission(user, permission.with_prefix()).await.unwrap();
        }
    }
    client.auth_enable().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_needs_its_password_and_only_its_prefix() {
    let ports = free_ports(1);
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&ports, &ports)).await;
    let mut cluster = cluster.unwrap();
    guard(&cluster).await;
    let user = Some(("camgate", "camgate 的密码"));
    let store = EtcdStore::open(with_user(&cluster, user)).await.unwrap();
    let mut watch = store.watch(store.head().await.unwrap()).await.unwrap();
    let first = store.commit(Commit::new().put("k", "1")).await.unwrap();
    assert_eq!(next_change(&mut watch).await.revision, first);
    let node = NodeEntry { id: "n1".to_owned(), value: b"v".to_vec() };
    store.announce(&node).await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), std::slice::from_ref(&node));
    for (user, part) in [
        (None, "user name is empty"),
        (Some(("camgate", "wrong")), "authentication failed"),
        (Some(("nobody", "nobody 的密码")), "permission denied"),
    ] {
        let detail = refusal(with_user(&cluster, user)).await;
        assert!(detail.contains(part), "{user:?}: {detail}");
        assert!(!detail.contains("密码"), "a password is told: {detail}");
    }
    let reader = EtcdStore::open(with_user(&cluster, Some(("reader", "reader 的密码"))));
    let reader = reader.await.unwrap();
    assert_eq!(reader.read(b"k").await.unwrap().0.unwrap().value, b"1");
    let refused = reader.commit(Commit::new().put("k", "2")).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable { detail })
        if detail.contains("permission denied")),
        "{refused:?}"
    );
    assert_eq!(store.head().await.unwrap(), first);
    // A member that is started again has forgotten who logged in.
    cluster.members[0].kill();
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.members[0].restart();
        cluster
    });
    let _cluster = cluster.await.unwrap();
    let second = within("a commit", async {
        loop {
            if let Ok(revision) = store.commit(Commit::new().put("k", "3")).await {
                break revision;
            }
        }
    })
    .await;
    assert!(second > first);
    store.announce(&node).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_takes_certificates_and_user_from_its_settings() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let authority = Authority::new("ours");
    let cluster = start_tls(folder, &authority).await;
    let client = authority.sign("camgate");
    fs::write(folder.join("client.pem"), &client.certificate).unwrap();
    fs::write(folder.join("client.key"), &client.key).unwrap();
    let settings = "[etcd]\nprefix = \"by-file\"\nca_file = \"ca.pem\"\n\
        certificate_file = \"client.pem\"\nkey_file = \"client.key\"\n";
    fs::write(folder.join("camgate.toml"), settings).unwrap();
    let store = format!("etcd:{}", cluster.urls().join(","));
    let export = |file: &str, config: &[&str]| {
        let args = [&["export", file, "--store", &store], config].concat();
        command(folder, &args).output().unwrap()
    };
    let ran = tokio::task::block_in_place(|| export("a", &["--config", "camgate.toml"]));
    assert!(ran.status.success(), "{ran:?}");
    let ran = tokio::task::block_in_place(|| export("b", &[]));
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    // A user without its password is told what to do.
    let settings = format!("{settings}user = \"camgate\"\n");
    fs::write(folder.join("user.toml"), settings).unwrap();
    let ran = tokio::task::block_in_place(|| export("c", &["--config", "user.toml"]));
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("CAMGATE_ETCD_PASSWORD"), "{ran:?}");
}
