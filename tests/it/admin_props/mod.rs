//! Administration has one meaning: the directory in memory, gRPC and the CAM API end alike.
//!
//! Random steps are run three times: by the directory's own commands on values, by the RPCs of one
//! server, and by the calls of the CAM API of another. Each step is accepted or refused by all
//! three with one code, and at the end accounts and change logs are the same. `crash` stops a
//! server between any two operations of its store.
//!
//! What differs by nature is made alike in `server::normal`, and nowhere else: the ids of access
//! keys and their secrets are random, so keys are told apart by the time of their creation, which
//! the clock of the test makes unique; hashes of passwords are salted, so only their presence
//! counts, and the password is tried; the digest of the change log covers both, so the log is
//! compared by its operations, after its chain was proved. Times are the same by that clock.

mod api;
mod crash;
mod generate;
mod grpc;
mod model;
mod server;
mod stopping_store;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use camgate::directory::AccountState;
use camgate::store::MemoryStore;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use generate::Wish;
use model::{Model, Step};
use server::{Server, normal};

/// Sequences of the ordinary run; `CAMGATE_ADMIN_CASES` asks for another number.
const CASES: u32 = 24;

/// What came of a step: nothing to say, or the code of a refusal.
type Outcome = Result<(), String>;

/// How often each command was accepted and refused.
type Histogram = BTreeMap<&'static str, (u32, u32)>;

/// A runner of the usual sequences, which are the same every time; of random ones when a number of
/// them is asked for.
#[expect(clippy::disallowed_methods, reason = "a test's own setting, read nowhere else")]
fn runner() -> TestRunner {
    let base = Config { failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    match std::env::var("CAMGATE_ADMIN_CASES") {
        Ok(text) => TestRunner::new(Config { cases: text.parse().unwrap(), ..base }),
        Err(_) => {
            let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            TestRunner::new_with_rng(Config { cases: CASES, ..base }, rng)
        }
    }
}

fn note(histogram: &mut Histogram, step: &Step, outcome: &Outcome) {
    for command in step {
        let (accepted, refused) = histogram.entry(command.name()).or_default();
        *if outcome.is_ok() { accepted } else { refused } += 1;
    }
}

/// Runs one step on a server by its RPCs. A call of several commands is none of gRPC's: they come
/// one after the other, and not at all when the directory refuses them together.
async fn by_grpc(server: &Server, before: &AccountState, step: &Step, said: &Outcome) -> Outcome {
    if step.len() > 1 && said.is_err() {
        return said.clone();
    }
    for command in server.known_keys(before, step).await {
        grpc::run(server, &command).await?;
    }
    Ok(())
}

/// Runs one step on a server by a call of the API; by its RPCs where the API has no such call.
async fn by_api(server: &Server, before: &AccountState, step: &Step) -> Outcome {
    let step = server.known_keys(before, step).await;
    let state = server.state().await;
    match api::call(&step, &state) {
        Some((action, params)) => server.call(action, params).await,
        None => grpc::run(server, &step[0]).await,
    }
}

/// Runs a sequence everywhere and compares.
async fn compare(wishes: &[Wish], histogram: &mut Histogram) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    let rpcs = Server::start(Arc::new(MemoryStore::new()), model.now()).await;
    let calls = Server::start(Arc::new(MemoryStore::new()), model.now()).await;
    for server in [&rpcs, &calls] {
        server.set_up().await;
    }
    model.set_up();
    for wish in wishes {
        let step = model.step(wish);
        let before = model.state().clone();
        let said = model.run(&step);
        note(histogram, &step, &said);
        for server in [&rpcs, &calls] {
            server.set_time(model.now());
        }
        let by_grpc = by_grpc(&rpcs, &before, &step, &said).await;
        let by_api = by_api(&calls, &before, &step).await;
        if said != by_grpc || said != by_api {
            let lines = format!("directory {said:?}\ngRPC {by_grpc:?}\nAPI {by_api:?}");
            return Err(TestCaseError::fail(format!("{step:?}\n{lines}")));
        }
    }
    for (server, log) in [(rpcs, model.log_of_commands()), (calls, model.log_of_calls())] {
        server.check_secrets().await;
        proptest::prop_assert_eq!(normal(&server.state().await), normal(model.state()));
        proptest::prop_assert_eq!(&server.log().await, log);
        server.stop().await;
    }
    Ok(())
}

#[test]
fn every_way_of_administration_means_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let histogram = Mutex::new(Histogram::new());
    let mut runner = runner();
    let tested = runner.run(&generate::wishes(), |wishes| {
        let mut found = histogram.lock().unwrap();
        runtime.block_on(compare(&wishes, &mut found))
    });
    let histogram = histogram.into_inner().unwrap();
    assert!(tested.is_ok(), "{}", tested.unwrap_err());
    let expected = runner.config().cases / 24;
    for (name, (accepted, refused)) in &histogram {
        assert!(*accepted >= expected && *refused >= expected, "{name}: {histogram:?}");
    }
    assert_eq!(histogram.len(), model::KINDS, "every kind of command: {histogram:?}");
}
