//! The embedded decider: the same answers as the server's, and what it does without one.

use std::fs;
use std::path::{Path, PathBuf};

use camgate::layer::{Answer, AskError, Decider, Embedded, EmbeddedSettings, Fact};
use camgate::service::proto as pb;

use super::*;

fn settings(server: &str, file: Option<PathBuf>) -> EmbeddedSettings {
    EmbeddedSettings { server: server.to_owned(), file, ..EmbeddedSettings::new(ROOT) }
}

async fn at(embedded: &Embedded, token: &str) {
    let is_there = || embedded.revision().is_some_and(|it| is_at(&it, token));
    until("the snapshot reaches the revision", is_there).await;
}

/// The server's answer to the same question.
async fn check(server: &mut TestServer, question: &Question) -> (bool, String) {
    let values = |facts: &Vec<Fact>| pb::ContextValues {
        values: facts
            .iter()
            .map(|fact| match fact {
                Fact::Text(text) => {
                    pb::ContextValue { value: Some(pb::context_value::Value::Text(text.clone())) }
                }
                Fact::Number(_) | Fact::Flag(_) => panic!("{fact:?}"),
            })
            .collect(),
    };
    let context = question.context.iter().map(|(key, it)| (key.clone(), values(it))).collect();
    let request = pb::CheckRequest {
        principal: Some(pb::Principal {
            id: Some(pb::principal::Id::Uin(question.uin)),
            owner_uin: ROOT,
        }),
        action: question.action.clone(),
        resource: question.resource.clone(),
        context,
        consistency: None,
        accepts_filter: question.accepts_filter,
    };
    let decision = server.authz.check(request).await.unwrap().into_inner().decision.unwrap();
    let reason = decision.reason().as_str_name().trim_start_matches("REASON_").to_lowercase();
    (decision.outcome() == pb::Outcome::Allow, reason)
}

fn reason(answer: &Answer) -> &str {
    answer.reason.split(':').next().unwrap()
}

/// Everybody, several actions, all apps, with and without an address.
fn questions(uins: &[u64]) -> Vec<Question> {
    let mut all = Vec::new();
    for uin in uins {
        for action in ["im:DescribeConfInfo", "im:RemoveUser", "im:DeleteAccount", "trtc:X"] {
            for app in APPS {
                let plain = question(*uin, action, app);
                let mut from = plain.clone();
                let ip = vec![Fact::Text("10.1.2.3".into())];
                from.context.insert("qcs:ip".into(), ip);
                all.extend([plain, from]);
            }
        }
        let mut list = question(*uin, "im:DescribeIMAppList", APPS[0]);
        list.resource = String::new();
        list.accepts_filter = true;
        all.push(list);
    }
    all
}

#[tokio::test]
async fn it_decides_as_the_server_does_after_every_change() {
    let (mut server, alice, policy) = served().await;
    let bob = server.create_user("bob").await;
    let embedded = Embedded::start(settings(&format!("http://{}", server.address), None));
    let embedded = embedded.await.unwrap();
    let by_ip = r#"{"version":"2.0","statement":[{"effect":"deny","action":"im:*","resource":"*",
        "condition":{"ip_equal":{"qcs:ip":"10.0.0.0/8"}}}]}"#;
    let uins = [alice, bob, ROOT, 42];
    let mut tokens = Vec::new();
    for step in 0..8 {
        tokens.push(match step {
            0 => server.attach(policy, bob).await,
            1 => {
                let deny = server.create_policy("ip", by_ip).await;
                server.attach(deny, alice).await
            }
            2 => server.detach(policy, bob).await,
            3 => {
                let boundary = server.create_policy("cap", crate::grpc::ALLOW_ALL).await;
                let request = pb::PutBoundaryRequest {
                    owner_uin: ROOT,
                    uin: alice,
                    policy_id: boundary,
                    ..pb::PutBoundaryRequest::default()
                };
                let done = server.admin.put_boundary(request).await.unwrap();
                done.into_inner().result.unwrap().revision
            }
            4 => {
                let all = server.create_policy("all", crate::grpc::ALLOW_ALL).await;
                server.attach(all, bob).await
            }
            5 => {
                let none = server.create_policy("none", crate::grpc::DENY_ALL).await;
                server.attach(none, bob).await
            }
            6 => server.detach(policy, alice).await,
            _ => server.attach(policy, alice).await,
        });
        at(&embedded, tokens.last().unwrap()).await;
        let mut allowed = 0;
        for question in questions(&uins) {
            let own = embedded.ask(&question, tokens.last().map(String::as_str)).await.unwrap();
            let (is_allowed, why) = check(&mut server, &question).await;
            assert_eq!((own.is_allowed, reason(&own)), (is_allowed, why.as_str()), "{question:?}");
            allowed += usize::from(is_allowed);
        }
        assert!(allowed > 5, "{step}: {allowed}");
    }
    // What only the server can know is refused here.
    let foreign = question(ROOT, "im:DescribeConfInfo", 1_400_000_777);
    let error = embedded.ask(&foreign, None).await.unwrap_err();
    assert!(matches!(error, AskError::NotRegistered { .. }), "{error}");
    let mut other = question(alice, "im:DescribeConfInfo", APPS[1]);
    other.owner_uin = 1;
    let error = embedded.ask(&other, None).await.unwrap_err();
    assert!(matches!(error, AskError::OtherAccount { .. }), "{error}");
}

/// A kept snapshot, and the uin that it allows.
async fn kept(file: &Path) -> u64 {
    let (server, alice, _) = served().await;
    let url = format!("http://{}", server.address);
    let embedded = Embedded::start(settings(&url, Some(file.to_owned()))).await.unwrap();
    until("there is a snapshot", || embedded.revision().is_some()).await;
    until("the file is written", || file.exists()).await;
    server.stop().await;
    alice
}

const NOBODY: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn without_the_server_the_last_good_snapshot_decides_until_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot");
    let alice = kept(&file).await;
    let clock = SetClock::now();
    let started =
        Embedded::start_with(settings(NOBODY, Some(file.clone())), Arc::clone(&clock) as _);
    let embedded = started.await.unwrap();
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    let answer = embedded.ask(&question, None).await.unwrap();
    assert!(answer.is_allowed && answer.age_ms >= 0, "{answer:?}");
    assert!(embedded.age_ms().is_some_and(|age| (0..60_000).contains(&age)));
    clock.move_by(70_000);
    let error = embedded.ask(&question, None).await.unwrap_err();
    assert!(matches!(error, AskError::TooOld { age_max_ms: 60_000, .. }), "{error}");
    assert!(error.to_string().contains("at most 60000"), "{error}");
    // A clock that went back proves no youth.
    clock.move_by(-1_000_000);
    assert!(matches!(embedded.ask(&question, None).await, Err(AskError::TooOld { .. })));
}

#[tokio::test]
async fn a_file_that_is_damaged_missing_or_anothers_allows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot");
    let alice = kept(&file).await;
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    let good = fs::read(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [flipped, good[..good.len() - 1].to_vec(), b"camgate-snapshot-1".to_vec(), vec![]] {
        fs::write(&file, bad).unwrap();
        let embedded = Embedded::start(settings(NOBODY, Some(file.clone()))).await.unwrap();
        let error = embedded.ask(&question, None).await.unwrap_err();
        assert_eq!(error, AskError::NoSnapshot { owner_uin: ROOT });
    }
    let missing = settings(NOBODY, Some(folder.path().join("nothing")));
    let embedded = Embedded::start(missing).await.unwrap();
    assert!(matches!(embedded.ask(&question, None).await, Err(AskError::NoSnapshot { .. })));
    fs::write(&file, &good).unwrap();
    let other = EmbeddedSettings { owner_uin: 1, ..settings(NOBODY, Some(file)) };
    let embedded = Embedded::start(other).await.unwrap();
    let mut asked = question.clone();
    asked.owner_uin = 1;
    assert!(matches!(embedded.ask(&asked, None).await, Err(AskError::NoSnapshot { .. })));
}

#[tokio::test]
async fn another_catalog_than_the_servers_decides_nothing() {
    let (server, alice, _) = served().await;
    let text = fs::read(crate::support::repo::root().join("examples/authzen/records.json"));
    let more = camgate::catalog::Catalog::builtin().with("records.json", &text.unwrap()).unwrap();
    let settings = EmbeddedSettings {
        catalog: Arc::new(more),
        ..settings(&format!("http://{}", server.address), None)
    };
    let embedded = Embedded::start(settings).await.unwrap();
    until("there is a snapshot", || embedded.revision().is_some()).await;
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    assert_eq!(embedded.ask(&question, None).await, Err(AskError::OtherWorld));
}
