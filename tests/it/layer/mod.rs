//! Deciders in process, against real servers.

mod embedded;
mod remote;
mod tower;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use camgate::layer::Question;
use camgate::node::{Clock, Tokens};

use crate::grpc::{APPS, ROOT, TestServer};

/// A clock that stands still until the test moves it.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl SetClock {
    fn now() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(jiff::Timestamp::now().as_millisecond())))
    }

    fn move_by(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

fn question(uin: u64, action: &str, app: u64) -> Question {
    Question {
        owner_uin: ROOT,
        uin,
        action: action.to_owned(),
        resource: format!("qcs::im::uin/{ROOT}:sdkappid/{app}"),
        context: BTreeMap::new(),
        accepts_filter: false,
    }
}

/// Whether a revision is at another one, or later.
fn is_at(revision: &str, wanted: &str) -> bool {
    let tokens = Tokens::like(wanted).unwrap();
    tokens.read(revision).is_ok_and(|it| it >= tokens.read(wanted).unwrap())
}

/// Waits until something holds; the test fails when it never does.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}

/// A server whose alice may use all of IM on two apps.
async fn served() -> (TestServer, u64, u64) {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let policy = server.create_policy("ops", crate::grpc::POLICY).await;
    server.attach(policy, alice).await;
    assert_eq!(APPS[1], 1_400_000_001);
    (server, alice, policy)
}
