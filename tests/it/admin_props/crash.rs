//! A crash between any two operations of the store leaves what some prefix of the steps explains.
//!
//! A sequence runs on a server whose world stops at the first operation of its store, at the
//! second, and so on, before and after the operation takes effect. A new server over what is
//! stored must find the account as it was after the steps that were answered, or after one more;
//! its change log whole; and it must be able to go on to the end.

use std::cell::Cell;
use std::sync::Arc;

use camgate::directory::{
    AccountState, Command, CreateAccount, CreateRole, CreateSubAccount, DeleteSubAccount,
    KeyStatus, Profile, SubAccountKind, Target, UpdateAccessKey,
};
use camgate::store::MemoryStore;

use super::generate::Wish;
use super::model::{Model, Step};
use super::server::{Server, normal};
use super::stopping_store::{Stop, StoppingStore};
use super::{by_api, by_grpc};
use crate::cam::client::Client;
use crate::directory::{ALICE, ALLOW, OWNER, TRUST, attach, create_policy, secret_id};

/// One step with the time it is taken at, and the account before it.
struct Timed {
    step: Step,
    now: i64,
    before: AccountState,
}

/// A sequence, what every prefix of it comes to, and the change log at its end.
struct Story {
    steps: Vec<Timed>,
    /// The accounts after no step, after one, ...
    states: Vec<AccountState>,
    log: Vec<String>,
    /// Whether the account is there already.
    is_set_up: bool,
}

fn story(wishes: &[Wish], is_set_up: bool) -> Story {
    let mut model = Model::new();
    if is_set_up {
        model.set_up();
    }
    let mut states = vec![normal(model.state())];
    let mut steps = Vec::new();
    for wish in wishes {
        let step = model.step(wish);
        let before = model.state().clone();
        model.run(&step).unwrap();
        states.push(normal(model.state()));
        steps.push(Timed { step, now: model.now(), before });
    }
    Story { steps, states, log: model.log_of_calls().clone(), is_set_up }
}

/// Takes one step: by the API where there is a root that can sign.
async fn take(server: &Server, timed: &Timed, is_set_up: bool) {
    server.set_time(timed.now);
    let outcome = if is_set_up {
        by_api(server, &timed.before, &timed.step).await
    } else {
        by_grpc(server, &timed.before, &timed.step, &Ok(())).await
    };
    assert_eq!(outcome, Ok(()), "{:?}", timed.step);
}

/// A store with the account in it, if the story begins with one, and its root's key.
async fn begin(story: &Story) -> (Arc<MemoryStore>, Option<Client>) {
    let store = Arc::new(MemoryStore::new());
    if !story.is_set_up {
        return (store, None);
    }
    let server = Server::start(Arc::clone(&store), Model::new().now()).await;
    server.set_up().await;
    let root = server.root().clone();
    server.stop().await;
    (store, Some(root))
}

async fn open(server: Server, root: Option<&Client>) -> Server {
    if let Some(root) = root {
        server.use_root(root.clone());
    }
    server
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The world did not stop: there are not so many operations.
    Whole,
    /// It stopped, and the step that was under way is not there.
    Without,
    /// It stopped, and the step that was under way is there, though nobody was told.
    With,
}

/// Runs a story until its world stops at an operation, and looks at what is left.
async fn crash(story: &Story, last: usize, stop: Stop) -> Ended {
    let (records, root) = begin(story).await;
    let store = Arc::new(StoppingStore::new(Arc::clone(&records), last, stop));
    let answered = Cell::new(0);
    let played = async {
        let server = Server::start_on(Arc::clone(&store) as _, Arc::clone(&records), 0).await;
        let server = open(server, root.as_ref()).await;
        for timed in &story.steps {
            take(&server, timed, story.is_set_up).await;
            answered.set(answered.get() + 1);
        }
        // What a server still writes when it ends can be cut off, too.
        server.stop().await;
    };
    tokio::select! {
        biased;
        () = store.stopped() => {}
        () = played => return Ended::Whole,
    }
    let answered = answered.get();
    let under_way = story.steps.get(answered).or(story.steps.last()).unwrap();
    let server = Server::start(Arc::clone(&records), under_way.now).await;
    let server = open(server, root.as_ref()).await;
    let left = normal(&server.state().await);
    let mut prefixes = answered..=story.steps.len().min(answered + 1);
    let Some(done) = prefixes.find(|it| story.states[*it] == left) else {
        panic!("{answered} answered, {last} {stop:?}: no prefix explains {left:?}")
    };
    for timed in &story.steps[done..] {
        take(&server, timed, story.is_set_up).await;
    }
    assert_eq!(normal(&server.state().await), *story.states.last().unwrap());
    assert_eq!(server.log().await, story.log);
    server.check_secrets().await;
    server.stop().await;
    if done == answered { Ended::Without } else { Ended::With }
}

/// Stops the world everywhere in a story; how often each end was met.
fn crash_everywhere(story: &Story) -> (usize, usize) {
    let (mut without, mut with) = (0, 0);
    for stop in [Stop::Before, Stop::After] {
        for last in 1.. {
            // What hangs for ever ends with its runtime.
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let ended = runtime.block_on(crash(story, last, stop));
            runtime.shutdown_background();
            match ended {
                Ended::Whole => break,
                Ended::Without => without += 1,
                Ended::With => with += 1,
            }
        }
    }
    (without, with)
}

fn user(name: &str, console_login: bool) -> CreateSubAccount {
    let (name, remark) = (name.to_owned(), "值班".to_owned());
    let profile = Profile { console_login, ..Profile::default() };
    CreateSubAccount { uin: 0, name, kind: SubAccountKind::SubUser, remark, profile }
}

#[test]
fn a_crash_while_an_account_begins_leaves_it_whole_or_absent() {
    let wishes = [
        Wish::One(Command::CreateAccount(CreateAccount { owner: OWNER })),
        Wish::One(Command::CreateSubAccount(user("alice", false))),
    ];
    let (without, with) = crash_everywhere(&story(&wishes, false));
    assert!(without > wishes.len() && with >= wishes.len(), "{without} {with}");
}

#[test]
fn a_crash_between_any_two_operations_leaves_a_prefix() {
    let role = CreateRole {
        name: "a".to_owned(),
        trust_policy: TRUST.as_bytes().to_vec(),
        ..CreateRole::default()
    };
    let (secret_id, status) = (secret_id(0), Some(KeyStatus::Inactive));
    let switch = UpdateAccessKey { secret_id, holder: None, status, description: None };
    let delete = DeleteSubAccount { uin: ALICE, force: true, delete_keys: true };
    let wishes = [
        Wish::UserWithKey(user("alice", false)),
        Wish::One(create_policy("a", ALLOW)),
        Wish::One(create_policy("b", ALLOW)),
        Wish::One(attach("a", Target::User(ALICE))),
        Wish::One(Command::CreateRole(role)),
        Wish::One(attach("a", Target::Role("a".into()))),
        Wish::One(Command::UpdateAccessKey(switch)),
        Wish::One(Command::DeleteSubAccount(delete)),
    ];
    let (without, with) = crash_everywhere(&story(&wishes, true));
    assert!(without > wishes.len() && with >= wishes.len(), "{without} {with}");
}
