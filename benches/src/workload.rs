//! The account that everything is asked about, and random questions to it.
//!
//! Policies are drawn from a pool; a set is what one principal has attached, and principals share
//! sets. Every policy allows a handful of actions on one app; every tenth denies one there too.

use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::engine::{
    AccountInput, AccountSnapshot, Attachment, PolicyBody, PolicyInput, PrincipalInput,
    PrincipalKind, Via, World,
};
use camgate::lang;
use camgate::lang::condition::Context;
use camgate::lang::variable::Owner;
use camgate::lang::vocabulary::Granularity;

/// The account's root.
pub const OWNER: u64 = 12_345_678;
/// Actions that policies and questions name; few enough to be mapped to any peer's own.
pub const ACTIONS: usize = 40;
/// Apps that policies are about.
const APPS: u64 = 1_000;
/// Actions of a statement.
const ACTIONS_PER_STATEMENT: usize = 6;
/// The first uin.
const FIRST_UIN: u64 = 100_000_000_001;

/// A small generator: the same numbers in every run.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        ((self.next() >> 11) % limit as u64) as usize
    }
}

/// What a policy says.
#[derive(Debug, Clone)]
pub struct Rule {
    pub app: u64,
    /// Places in [`Workload::actions`].
    pub allows: Vec<usize>,
    pub denies: Option<usize>,
}

/// One question, as text.
#[derive(Debug, Clone)]
pub struct Question {
    pub uin: String,
    pub action: String,
    pub resource: String,
    /// The same for peers: the place of the set, of the action, and the app.
    pub set: usize,
    pub action_at: usize,
    pub app: u64,
}

#[derive(Debug)]
pub struct Workload {
    pub actions: Vec<String>,
    pub rules: Vec<Rule>,
    /// Per set the places of its policies.
    pub sets: Vec<Vec<usize>>,
    pub principals: usize,
    pub has_conditions: bool,
    pub context: Context,
    pub input: AccountInput,
    pub snapshot: AccountSnapshot,
}

impl Workload {
    /// `attached` policies for each of `principals`, who have `sets` different sets of them from a
    /// pool of `policies`.
    pub fn new(
        principals: usize,
        attached: usize,
        sets: usize,
        policies: usize,
        has_conditions: bool,
    ) -> Self {
        let catalog = Catalog::builtin();
        let actions = names_of_actions();
        let mut rng = Rng::new(7);
        let rules = draw_rules(&mut rng, policies);
        let sets: Vec<Vec<usize>> = (0..sets.min(principals))
            .map(|_| (0..attached).map(|_| rng.below(policies)).collect())
            .collect();
        let input = AccountInput {
            owner: Owner { uin: OWNER, app_id: 1_250_000_001 },
            revision: 1,
            principals: (0..principals).map(|at| principal(at, &sets)).collect(),
            policies: rules
                .iter()
                .enumerate()
                .map(|(at, rule)| policy(at, rule, &actions, has_conditions))
                .collect(),
            apps: Vec::new(),
        };
        let world = Arc::new(World::shipped(Arc::new(catalog.clone()), Vec::new()));
        let snapshot = AccountSnapshot::build(input.clone(), &world, None);
        let mut context = Context::new();
        if has_conditions {
            context.insert("qcs:ip", vec!["10.1.2.3".into()]).expect("a key");
            context.insert("im:env", vec!["prod".into()]).expect("a key");
        }
        Self { actions, rules, sets, principals, has_conditions, context, input, snapshot }
    }

    /// A random question of a random principal about an app that one of its policies is about; half
    /// of them about an action of that policy. With `sets`, only principals of the first sets ask.
    pub fn question(&self, rng: &mut Rng, sets: usize) -> Question {
        let set = rng.below(self.sets.len().min(sets));
        let rounds = self.principals / self.sets.len();
        let principal = rng.below(rounds.max(1)) * self.sets.len() + set;
        let policies = &self.sets[set];
        let rule = &self.rules[policies[rng.below(policies.len())]];
        let action_at = match rng.below(2) {
            0 => rule.allows[rng.below(rule.allows.len())],
            _ => rng.below(ACTIONS),
        };
        Question {
            uin: uin(principal).to_string(),
            action: self.actions[action_at].clone(),
            resource: format!("qcs::im::uin/{OWNER}:sdkappid/{}", rule.app),
            set,
            action_at,
            app: rule.app,
        }
    }
}

/// The actions that policies and questions name.
pub fn names_of_actions() -> Vec<String> {
    let actions: Vec<String> = Catalog::builtin()
        .actions_of("im")
        .iter()
        .filter(|action| action.granularity == Granularity::Resource)
        .map(|action| action.qualified_name())
        .take(ACTIONS)
        .collect();
    assert_eq!(actions.len(), ACTIONS);
    actions
}

/// What some policies say.
pub fn draw_rules(rng: &mut Rng, policies: usize) -> Vec<Rule> {
    let mut rule = |at: usize| Rule {
        app: 1_400_000_000 + rng.below(APPS as usize) as u64,
        allows: (0..ACTIONS_PER_STATEMENT).map(|_| rng.below(ACTIONS)).collect(),
        denies: (at % 10 == 9).then(|| rng.below(ACTIONS)),
    };
    (0..policies).map(|at| rule(at)).collect()
}

/// The uin of a principal.
pub fn uin(at: usize) -> u64 {
    FIRST_UIN + at as u64 * 7
}

fn principal(at: usize, sets: &[Vec<usize>]) -> PrincipalInput {
    let attach = |policy: &usize| Attachment { policy_id: id(*policy), via: Via::Direct };
    PrincipalInput {
        uin: uin(at),
        kind: PrincipalKind::SubUser,
        attachments: sets[at % sets.len()].iter().map(attach).collect(),
        boundary: None,
    }
}

fn id(policy: usize) -> u64 {
    1_000_001 + policy as u64
}

/// The document of a rule.
pub fn document(rule: &Rule, actions: &[String], has_conditions: bool, owner_uin: u64) -> String {
    let names: Vec<String> =
        rule.allows.iter().map(|action| format!("\"{}\"", actions[*action])).collect();
    let resource = format!("qcs::im::uin/{owner_uin}:sdkappid/{}", rule.app);
    let condition = if has_conditions {
        r#","condition":{"ip_equal":{"qcs:ip":["10.0.0.0/8","192.168.0.0/16"]},"string_equal":{"im:env":["prod","dev"]}}"#
    } else {
        ""
    };
    let mut statements = format!(
        r#"{{"effect":"allow","action":[{}],"resource":"{resource}"{condition}}}"#,
        names.join(",")
    );
    if let Some(denied) = rule.denies {
        statements += &format!(
            r#",{{"effect":"deny","action":"{}","resource":"{resource}"{condition}}}"#,
            actions[denied]
        );
    }
    format!(r#"{{"version":"2.0","statement":[{statements}]}}"#)
}

fn policy(at: usize, rule: &Rule, actions: &[String], has_conditions: bool) -> PolicyInput {
    let json = document(rule, actions, has_conditions, OWNER);
    let valid = lang::load(json.as_bytes()).expect("a valid policy");
    let body = PolicyBody::Valid(Arc::new(valid));
    PolicyInput { id: id(at), name: format!("policy-{at}").into(), version: 1, body }
}
