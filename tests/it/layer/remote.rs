//! The remote decider and what it remembers.

use camgate::layer::{AskError, Decider, Remote, RemoteSettings};

use super::*;

fn settings(server: &TestServer) -> RemoteSettings {
    let server = format!("http://{}", server.address);
    // So long that only the watch can make an answer end.
    RemoteSettings { server, staleness_max_ms: 600_000, ..RemoteSettings::default() }
}

async fn remembered(remote: &Remote, question: &Question) {
    let asking = async { while !remote.ask(question, None).await.unwrap().is_cached {} };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap();
}

#[tokio::test]
async fn after_a_detach_nobody_is_let_in_by_what_is_remembered() {
    let (mut server, alice, policy) = served().await;
    let remote = Remote::new(settings(&server)).unwrap();
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    for round in 0..20 {
        remembered(&remote, &question).await;
        assert!(remote.ask(&question, None).await.unwrap().is_allowed);
        let token = server.detach(policy, alice).await;
        // With the write's token: denied at once, always.
        let answer = remote.ask(&question, Some(&token)).await.unwrap();
        assert!(!answer.is_allowed && is_at(&answer.revision, &token), "{round}: {answer:?}");
        // Without: as soon as the watch has told, however long answers are remembered.
        let watched = || is_at(&remote.watched_revision(ROOT), &token);
        until("the watch tells of the detach", watched).await;
        let answer = remote.ask(&question, None).await.unwrap();
        assert!(!answer.is_allowed, "{round}: {answer:?}");
        server.attach(policy, alice).await;
        until("the attach is seen", || !remote.watched_revision(ROOT).is_empty()).await;
        // What is remembered is answered without a pause: give way to the watch.
        let asking = async {
            while !remote.ask(&question, None).await.unwrap().is_allowed {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap();
    }
}

/// Nothing of the account changes here, so its watch has nothing to tell of what is remembered.
#[tokio::test]
async fn a_token_of_a_write_elsewhere_is_looked_at_too() {
    let (mut server, alice, _policy) = served().await;
    let remote = Remote::new(settings(&server)).unwrap();
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    remembered(&remote, &question).await;
    let account = camgate::service::proto::CreateAccountRequest {
        owner_uin: ROOT + 1,
        app_id: 1_250_009_999,
        options: None,
    };
    let made = server.admin.create_account(account).await.unwrap().into_inner();
    let token = made.result.unwrap().revision;
    let answer = remote.ask(&question, Some(&token)).await.unwrap();
    assert!(answer.is_allowed && !answer.is_cached, "{answer:?}");
    assert!(is_at(&answer.revision, &token), "{answer:?}");
    server.stop().await;
}

/// Without a token, and without asking with one before: what was remembered as allowed ends by
/// what the watch tells, and by nothing else.
#[tokio::test]
async fn what_is_remembered_ends_by_the_watch() {
    let (mut server, alice, policy) = served().await;
    let remote = Remote::new(settings(&server)).unwrap();
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    for _ in 0..20 {
        remembered(&remote, &question).await;
        let token = server.detach(policy, alice).await;
        until("the watch tells", || is_at(&remote.watched_revision(ROOT), &token)).await;
        assert!(!remote.ask(&question, None).await.unwrap().is_allowed);
        let token = server.attach(policy, alice).await;
        until("the watch tells", || is_at(&remote.watched_revision(ROOT), &token)).await;
        assert!(remote.ask(&question, None).await.unwrap().is_allowed);
    }
}

#[tokio::test]
async fn answers_grow_old_and_a_silent_watch_is_not_believed() {
    let (server, alice, _) = served().await;
    let clock = SetClock::now();
    let remote = Remote::with_clock(settings(&server), Arc::clone(&clock) as _).unwrap();
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    remembered(&remote, &question).await;
    clock.move_by(600_001);
    assert!(!remote.ask(&question, None).await.unwrap().is_cached);
    remembered(&remote, &question).await;
    // A clock that went back proves no youth.
    clock.move_by(-10_000);
    assert!(!remote.ask(&question, None).await.unwrap().is_cached);
}

#[tokio::test]
async fn without_a_server_nothing_is_allowed() {
    let (server, alice, _) = served().await;
    let remote = Remote::new(settings(&server)).unwrap();
    let question = question(alice, "im:DescribeConfInfo", APPS[1]);
    remembered(&remote, &question).await;
    server.stop().await;
    let asking = async {
        // The watch ends with the server; then nothing that is remembered counts.
        while remote.ask(&question, None).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap();
    let error = remote.ask(&question, None).await.unwrap_err();
    assert!(matches!(error, AskError::Unavailable(_) | AskError::Deadline { .. }), "{error}");
    let error = Remote::new(RemoteSettings { server: "::".into(), ..RemoteSettings::default() });
    assert!(matches!(error, Err(AskError::Question(_))));
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused() {
    let (server, alice, _) = served().await;
    let remote = Remote::new(settings(&server)).unwrap();
    let wrong = question(alice, "im:describeConfInfo", APPS[1]);
    assert!(matches!(remote.ask(&wrong, None).await, Err(AskError::Question(_))));
}
