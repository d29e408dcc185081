//! The rules of decisions and lists as tables: one account, one line per question.
//!
//! Every answer is also compared with the reference reading.

mod decisions;
mod explanations;
mod index;
mod lists;
mod requests;
mod snapshots;
mod trust;

use std::sync::{Arc, LazyLock};

use super::*;
use crate::catalog::Catalog;
use crate::lang;
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::lang::variable::Owner;

const ROOT: u64 = 12_345_678;
const ALICE: u64 = 100_000_000_011;
const HOME: Owner = Owner { uin: ROOT, app_id: 1_250_000_001 };
const APP1: &str = "qcs::im::uin/12345678:sdkappid/1400000001";
const APP2: &str = "qcs::im::uin/12345678:sdkappid/1400000002";
const FOREIGN: &str = "qcs::im::uin/99999999:sdkappid/1400000001";

/// The world as shipped.
fn shipped() -> Arc<World> {
    static WORLD: LazyLock<Arc<World>> = LazyLock::new(|| {
        Arc::new(World::shipped(Arc::new(Catalog::builtin().clone()), Vec::new()))
    });
    Arc::clone(&WORLD)
}

/// A policy of the statements given as JSON, separated by commas.
fn policy(id: u64, statements: &str) -> PolicyInput {
    let json = format!(r#"{{"version":"2.0","statement":[{statements}]}}"#);
    let valid = lang::load(json.as_bytes()).unwrap_or_else(|it| panic!("{json}: {it:?}"));
    let body = PolicyBody::Valid(Arc::new(valid));
    PolicyInput { id, name: format!("p{id}").into(), version: 1, body }
}

fn unreadable(id: u64) -> PolicyInput {
    let body = PolicyBody::Unreadable("cut short".to_owned());
    PolicyInput { id, name: "broken".into(), version: 2, body }
}

/// An account under construction: the root, and alice with every policy given.
struct Fixture {
    input: AccountInput,
    world: Arc<World>,
    session: Vec<PolicyInput>,
    registered_owner: Option<u64>,
    granted_by_owner: bool,
    accepts_filter: bool,
    context: Context,
}

impl Fixture {
    fn new(policies: impl IntoIterator<Item = PolicyInput>) -> Self {
        let policies: Vec<PolicyInput> = policies.into_iter().collect();
        let direct = |it: &PolicyInput| Attachment { policy_id: it.id, via: Via::Direct };
        let alice = PrincipalInput {
            uin: ALICE,
            kind: PrincipalKind::SubUser,
            attachments: policies.iter().map(direct).collect(),
            boundary: None,
        };
        let root = PrincipalInput {
            uin: ROOT,
            kind: PrincipalKind::Root,
            attachments: Vec::new(),
            boundary: None,
        };
        let app = |sdkappid: u64, tags: &[(&str, &str)]| AppInput {
            sdkappid,
            tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        };
        let apps =
            vec![app(1_400_000_002, &[]), app(1_400_000_001, &[("env", "dev"), ("部门", "一")])];
        let principals = vec![root, alice];
        Self {
            input: AccountInput { owner: HOME, revision: 5, principals, policies, apps },
            world: shipped(),
            session: Vec::new(),
            registered_owner: None,
            granted_by_owner: false,
            accepts_filter: true,
            context: Context::new(),
        }
    }

    /// Alice with one policy of these statements, id 1000001.
    fn of(statements: &str) -> Self {
        Self::new([policy(1_000_001, statements)])
    }

    fn alice(&mut self) -> &mut PrincipalInput {
        &mut self.input.principals[1]
    }

    /// A policy that is not attached, as boundary.
    fn boundary(mut self, statements: &str) -> Self {
        self.input.policies.push(policy(1_000_009, statements));
        self.alice().boundary = Some(1_000_009);
        self
    }

    fn session(mut self, statements: &str) -> Self {
        self.session.push(policy(50 + self.session.len() as u64, statements));
        self
    }

    fn with(mut self, key: &str, value: impl Into<ContextValue>) -> Self {
        self.context.insert(key, vec![value.into()]).unwrap();
        self
    }

    fn request(&self, uin: u64, action: &str, resource: &str) -> Result<Request, RequestFault> {
        let compile =
            |it: &PolicyInput| Arc::new(CompiledPolicy::new(it.clone(), self.world.catalog()));
        let parts = RequestParts {
            principal: uin,
            action: ActionName::parse(action).unwrap(),
            resource: Resource::parse(resource).unwrap(),
            context: self.context.clone(),
            now: "2026-01-31T08:00:00Z".parse().unwrap(),
            session: self.session.iter().map(compile).collect(),
            registered_owner: self.registered_owner,
            granted_by_owner: self.granted_by_owner,
            accepts_filter: self.accepts_filter,
        };
        Request::check(parts, self.world.catalog())
    }

    fn decide(&self, uin: u64, action: &str, resource: &str) -> Decision {
        let request = self.request(uin, action, resource).unwrap();
        let snapshot = AccountSnapshot::build(self.input.clone(), &self.world, None);
        let decision = decide(&snapshot, &request, &mut NoTrace);
        let plain = reference::decide(&self.input, &self.world, &request);
        assert_eq!((decision.reason, &decision.determining), (plain.reason, &plain.determining));
        assert_eq!((&decision.filter, decision.errors.len()), (&plain.filter, plain.errors.len()));
        decision
    }

    /// Outcome, reason and determining statements in one line:
    /// `DENY explicit_deny:identity identity/1000001#0`.
    fn ask(&self, uin: u64, action: &str, resource: &str) -> String {
        let decision = self.decide(uin, action, resource);
        let mut line = format!("{} {}", decision.outcome.as_str(), decision.reason);
        for it in &decision.determining {
            line += &format!(" {}/{}#{}", it.layer.as_str(), it.policy_id, it.statement);
        }
        line
    }
}

const ALLOW_ALL: &str = r#"{"effect":"allow","action":"*","resource":"*"}"#;
const DENY_ALL: &str = r#"{"effect":"deny","action":"*","resource":"*"}"#;
