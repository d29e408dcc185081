//! Calls that take long are told to the log, without what they are about.

use std::io;
use std::sync::Mutex;

use camgate::node::Tokens;
use camgate::store::{Commit, Revision};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::support::wrapped_store::WrappedStore;

/// Log lines, kept.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines about slow calls of a method.
    fn slow(&self, method: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let is_its = |line: &Value| {
            let fields = &line["fields"];
            fields["message"] == "a call was slow" && fields["method"] == method
        };
        lines.filter(is_its).map(|line| line["fields"].clone()).collect()
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// On one thread, whose log it keeps.
#[tokio::test]
async fn a_slow_decision_is_told_with_where_it_waited() {
    let kept = Kept::default();
    let lines = tracing_subscriber::fmt().json().with_writer(kept.clone()).finish();
    let _log = tracing::subscriber::set_default(lines);
    let store = Arc::new(WrappedStore::default());
    // Nothing is told of what the test does before.
    let settings = NodeSettings { slow_ms: 150, stale_after_ms: 60_000, ..NodeSettings::default() };
    let server = Observed::start_on(store.clone(), settings).await;
    let token = server.create_account().await;
    let quick = server.authz().check(question(OWNER, "im:DescribeConfInfo")).await;
    quick.unwrap();
    store.hold().await;
    let next = store.head().await.unwrap().0 + 1;
    store.commit(Commit::new().put("t/elsewhere", "")).await.unwrap();
    // A token of the revision that is held back.
    let at_least = Tokens::like(&token).unwrap().write(Revision(next));
    let consistency = Some(pb::Consistency { at_least });
    let check = pb::CheckRequest { consistency, ..question(OWNER, "im:DescribeConfInfo") };
    let mut authz = server.authz();
    let mut asking = std::pin::pin!(authz.check(check));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut asking).await;
    assert!(early.is_err(), "{early:?}");
    store.release().await;
    let decision = asking.await.unwrap().into_inner().decision.unwrap();
    let told = kept.slow("Check");
    assert_eq!(told.len(), 1, "{}", kept.text());
    let line = &told[0];
    assert_eq!(line["decision_id"], decision.decision_id.as_str());
    assert_eq!((&line["surface"], &line["owner_uin"]), (&"grpc".into(), &OWNER.into()));
    assert!(line["elapsed_ms"].as_u64().unwrap() >= 150, "{line}");
    let waited = line["waited"].as_str().unwrap();
    assert!(waited.starts_with("revision="), "{line}");
    // Neither what was asked nor about what.
    let all = line.to_string();
    assert!(!all.contains("DescribeConfInfo") && !all.contains(&APP.to_string()), "{all}");
    let samples = server.samples().await;
    assert!(samples["camgate_slow_calls_total"] >= 1.0);
    assert_eq!(samples[r#"camgate_call_wait_seconds_count{stage="revision"}"#], 1.0);
}
