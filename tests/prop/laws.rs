//! Laws that hold whatever the policies say (style: after the theorems of the field).

use std::collections::BTreeSet;
use std::sync::Arc;

use camgate::engine::{
    AccountInput, AccountSnapshot, Attachment, CompiledPolicy, Decision, Determining, Layer,
    NoTrace, Outcome, PolicyBody, PolicyInput, Reason, Request, RequestParts, Resource, Via, World,
    decide, explain, list_actions, list_principals, list_resources,
};
use camgate::lang;
use camgate::lang::action::ActionName;
use proptest::prelude::*;

use crate::generate::{Account, Dice, Text, account, input, request, statement, world};

/// A world and one request in it.
struct Case {
    dice: Dice<'static>,
    world: Arc<World>,
    account: Account,
    request: Request,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::from_seed(seed);
        let (world, account) = (Arc::new(world(&mut dice)), account(&mut dice));
        let request = request(&mut dice, world.catalog());
        Self { dice, world, account, request }
    }

    fn decide(&self, account: &AccountInput) -> Decision {
        let snapshot = AccountSnapshot::build(account.clone(), &self.world, None);
        decide(&snapshot, &self.request, &mut NoTrace)
    }

    fn now(&self) -> Decision {
        self.decide(&self.account.input)
    }

    /// The account with one more policy attached to everybody.
    fn with_policy(&self, statement: Text) -> AccountInput {
        let mut account = self.account.input.clone();
        account.policies.push(input(2_000_000, &[statement]));
        for principal in &mut account.principals {
            principal.attachments.push(Attachment { policy_id: 2_000_000, via: Via::Direct });
        }
        account
    }

    fn ask(&self, change: impl FnOnce(&mut RequestParts)) -> Request {
        let mut parts = self.request.parts().clone();
        change(&mut parts);
        Request::check(parts, self.world.catalog()).unwrap()
    }
}

fn allowed(decision: &Decision) -> BTreeSet<String> {
    decision.filter.iter().flat_map(|filter| filter.resources.iter().cloned()).collect()
}

/// The policy with only some of its statements; with none, one that matches nothing.
fn only(policy: &PolicyInput, layer: Layer, determining: &[Determining]) -> PolicyInput {
    let keep: Vec<String> = match &policy.body {
        PolicyBody::Unreadable(_) => Vec::new(),
        PolicyBody::Valid(valid) => {
            let places =
                determining.iter().filter(|it| (it.layer, it.policy_id) == (layer, policy.id));
            let spans = places.map(|it| valid.document().statements()[it.statement].span);
            spans.map(|span| valid.source().get(span.start..span.end).unwrap().to_owned()).collect()
        }
    };
    let never = r#"{"effect":"allow","action":"im:Never","resource":"*"}"#.to_owned();
    let keep = if keep.is_empty() { vec![never] } else { keep };
    let json = format!(r#"{{"version":"2.0","statement":[{}]}}"#, keep.join(","));
    let body = PolicyBody::Valid(Arc::new(lang::load(json.as_bytes()).unwrap()));
    PolicyInput { body, ..policy.clone() }
}

/// The decision again, from nothing but the statements that determined it.
fn again(case: &Case, determining: &[Determining]) -> Decision {
    let cut = |layer: Layer| move |policy: &PolicyInput| only(policy, layer, determining);
    let general = case.world.general().map(cut(Layer::General)).collect();
    let mut account = case.account.input.clone();
    let parts = case.request.parts();
    // Identity and boundary may share a policy, so the boundary gets copies under other ids.
    let boundary = |id: u64| 5_000_000 + id;
    let all: Vec<PolicyInput> =
        account.policies.iter().chain(case.world.shared()).cloned().collect();
    account.policies = all.iter().map(cut(Layer::Identity)).collect();
    account.policies.extend(all.iter().map(|policy| {
        let cut = only(policy, Layer::Boundary, determining);
        PolicyInput { id: boundary(policy.id), ..cut }
    }));
    for principal in &mut account.principals {
        principal.boundary = principal.boundary.map(boundary);
    }
    let world = Arc::new(World::new(Arc::clone(case.world.catalog()), general, Vec::new()));
    let request = case.ask(|it| {
        let session = parts.session.iter().map(|policy| {
            let cut = only(policy.input(), Layer::Session, determining);
            Arc::new(CompiledPolicy::new(cut, world.catalog()))
        });
        it.session = session.collect();
    });
    let snapshot = AccountSnapshot::build(account, &world, None);
    decide(&snapshot, &request, &mut NoTrace)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // rules D-01, D-07
    #[test]
    fn nothing_attached_is_denied(seed: u64) {
        let case = Case::new(seed);
        let mut account = case.account.input.clone();
        account.principals.iter_mut().for_each(|it| it.attachments.clear());
        let root = case.request.parts().principal == account.owner.uin;
        prop_assert!(root || case.decide(&account).outcome == Outcome::Deny);
    }

    // rule D-11
    #[test]
    fn outcome_reason_and_determining_go_together(seed: u64) {
        let decision = Case::new(seed).now();
        prop_assert_eq!(decision.outcome, decision.reason.outcome());
        let has = |layer: Layer| decision.determining.iter().any(|it| it.layer == layer);
        match decision.reason {
            Reason::Allow => prop_assert!(has(Layer::Identity)),
            Reason::Root => prop_assert!(!has(Layer::Identity) || decision.filter.is_some()),
            Reason::ExplicitDeny(layer) => {
                prop_assert!(has(layer));
                prop_assert!(decision.determining.iter().all(|it| it.layer >= layer));
            }
            Reason::ImplicitDeny(_) | Reason::UnknownPrincipal | Reason::Error => {
                prop_assert!(decision.determining.is_empty());
            }
            Reason::FilterUnsupported => prop_assert!(!case_accepts(seed)),
        }
    }

    // rule D-11
    #[test]
    fn determining_statements_alone_give_the_same_outcome(seed: u64) {
        let case = Case::new(seed);
        let before = case.now();
        if before.reason != Reason::Error {
            let after = again(&case, &before.determining);
            prop_assert_eq!(before.outcome, after.outcome);
            prop_assert_eq!(before.filter, after.filter);
            if before.outcome == Outcome::Allow || !before.determining.is_empty() {
                prop_assert_eq!(before.reason, after.reason);
            }
        }
    }

    // rule D-03
    #[test]
    fn order_way_and_duplicates_are_irrelevant(seed: u64) {
        let case = Case::new(seed);
        let mut account = case.account.input.clone();
        account.policies.reverse();
        account.apps.reverse();
        account.principals.reverse();
        for principal in &mut account.principals {
            principal.attachments.reverse();
            let again = principal.attachments.iter().map(|it| Attachment {
                policy_id: it.policy_id,
                via: Via::Group { id: 99, name: "again".into() },
            });
            principal.attachments.extend(again.collect::<Vec<_>>());
        }
        prop_assert_eq!(case.now(), case.decide(&account));
    }

    // rule D-04
    #[test]
    fn one_more_allow_takes_nothing_away(seed: u64) {
        let mut case = Case::new(seed);
        let statement = Text { effect: "allow", ..statement(&mut case.dice) };
        let (before, after) = (case.now(), case.decide(&case.with_policy(statement)));
        prop_assert!(before.outcome == Outcome::Deny || after.outcome == Outcome::Allow);
        prop_assert!(allowed(&before).is_subset(&allowed(&after)));
        // One policy never hides another's error.
        prop_assert!(before.errors.iter().all(|error| after.errors.contains(error)));
    }

    // rule D-04
    #[test]
    fn one_more_deny_gives_nothing(seed: u64) {
        let mut case = Case::new(seed);
        let statement = Text { effect: "deny", ..statement(&mut case.dice) };
        let (before, after) = (case.now(), case.decide(&case.with_policy(statement)));
        prop_assert!(before.outcome == Outcome::Allow || after.outcome == Outcome::Deny);
        let narrower = allowed(&after).is_subset(&allowed(&before));
        prop_assert!(before.outcome == Outcome::Deny || narrower);
        prop_assert!(before.errors.iter().all(|error| after.errors.contains(error)));
    }

    // rules D-09, D-10
    #[test]
    fn boundaries_and_sessions_grant_nothing(seed: u64) {
        let case = Case::new(seed);
        let mut account = case.account.input.clone();
        account.principals.iter_mut().for_each(|it| it.boundary = None);
        let snapshot = AccountSnapshot::build(account, &case.world, None);
        let free = case.ask(|it| it.session.clear());
        let (capped, free) = (case.now(), decide(&snapshot, &free, &mut NoTrace));
        let allows = capped.outcome == Outcome::Allow;
        prop_assert!(!allows || free.outcome == Outcome::Allow);
        prop_assert!(allowed(&capped).is_subset(&allowed(&free)));
    }

    // rules A-03, R-08
    #[test]
    fn splitting_statements_changes_nothing(seed: u64) {
        let case = Case::new(seed);
        let mut account = case.account.input.clone();
        for (policy, texts) in account.policies.iter_mut().zip(&case.account.texts) {
            let mut single = Vec::new();
            for text in texts {
                for action in &text.actions {
                    for resource in &text.resources {
                        let (actions, resources) = (vec![*action], vec![*resource]);
                        single.push(Text { actions, resources, ..text.clone() });
                    }
                }
            }
            if !single.is_empty() {
                policy.body = input(policy.id, &single).body;
            }
        }
        let (before, after) = (case.now(), case.decide(&account));
        prop_assert_eq!(before.reason, after.reason);
        prop_assert_eq!(before.filter, after.filter);
        prop_assert_eq!(before.errors.is_empty(), after.errors.is_empty());
    }

    // rules D-05, C-22
    #[test]
    fn one_more_policy_hides_no_error(seed: u64) {
        let mut case = Case::new(seed);
        let more = statement(&mut case.dice);
        let after = case.decide(&case.with_policy(more));
        for error in &case.now().errors {
            prop_assert!(after.errors.contains(error), "{:?}", error);
        }
    }

    // rule D-11
    #[test]
    fn what_does_not_determine_can_go(seed: u64) {
        let case = Case::new(seed);
        let before = case.now();
        let by = |id: u64| {
            before.determining.iter().any(|it| it.policy_id == id)
                || before.errors.iter().any(|it| it.policy_id == id)
        };
        let mut account = case.account.input.clone();
        for principal in &mut account.principals {
            principal.attachments.retain(|it| by(it.policy_id));
        }
        let after = case.decide(&account);
        prop_assert_eq!(before.outcome, after.outcome);
        prop_assert_eq!(before.filter, after.filter);
        prop_assert_eq!(before.determining, after.determining);
    }

    // rules C-22, D-11
    #[test]
    fn an_allow_with_an_error_determines_nothing(seed: u64) {
        let decision = Case::new(seed).now();
        if decision.outcome == Outcome::Allow && decision.filter.is_none() {
            for it in &decision.determining {
                let place = (it.layer, it.policy_id, Some(it.statement));
                let same = |error: &camgate::engine::DecisionError| {
                    (error.layer, error.policy_id, error.statement) == place
                };
                prop_assert!(!decision.errors.iter().any(same));
            }
        }
    }

    // rules F-01, F-02, F-04
    #[test]
    fn filter_is_what_single_checks_allow(seed: u64) {
        let case = Case::new(seed);
        let list = case.ask(|it| {
            it.action = ActionName::parse("im:DescribeIMAppList").unwrap();
            it.resource = Resource::Star;
            it.accepts_filter = true;
        });
        let snapshot = AccountSnapshot::build(case.account.input.clone(), &case.world, None);
        let decision = decide(&snapshot, &list, &mut NoTrace);
        let mut expected = Vec::new();
        for id in snapshot.sdkappids() {
            let name = format!("qcs::im::uin/12345678:sdkappid/{id}");
            let mut parts = list.parts().clone();
            parts.resource = Resource::parse(&name).unwrap();
            parts.registered_owner = Some(12_345_678);
            let one = Request::check(parts, case.world.catalog()).unwrap();
            if decide(&snapshot, &one, &mut NoTrace).outcome == Outcome::Allow {
                expected.push(name);
            }
        }
        let found = decision.filter.map(|it| it.resources).unwrap_or_default();
        prop_assert_eq!(found, expected);
    }

    // Every attached statement is visited, so what the index leaves out cannot have matched.
    #[test]
    fn explaining_is_deciding(seed: u64) {
        let case = Case::new(seed);
        let snapshot = AccountSnapshot::build(case.account.input.clone(), &case.world, None);
        let explanation = explain(&snapshot, &case.request);
        prop_assert_eq!(&explanation.decision, &case.now());
        for it in &explanation.decision.determining {
            let place = (it.layer, it.policy_id, it.statement);
            let mut all = explanation.resources.iter().flat_map(|it| &it.statements);
            prop_assert!(all.any(|it| (it.layer, it.policy_id, it.statement) == place));
        }
    }

    #[test]
    fn earlier_snapshots_never_show(seed: u64) {
        let mut case = Case::new(seed);
        let first = AccountSnapshot::build(case.account.input.clone(), &case.world, None);
        let before = decide(&first, &case.request, &mut NoTrace);
        let added = statement(&mut case.dice);
        let mut changed = case.with_policy(added);
        changed.policies[0] = input(changed.policies[0].id, &[statement(&mut case.dice)]);
        changed.policies.remove(1);
        let second = AccountSnapshot::build(changed.clone(), &case.world, Some(&first));
        prop_assert_eq!(decide(&second, &case.request, &mut NoTrace), case.decide(&changed));
        // A snapshot never changes.
        prop_assert_eq!(decide(&first, &case.request, &mut NoTrace), before);
    }

    #[test]
    fn searches_find_what_checks_allow(seed: u64) {
        let case = Case::new(seed);
        let snapshot = AccountSnapshot::build(case.account.input.clone(), &case.world, None);
        let is_allowed =
            |request: &Request| decide(&snapshot, request, &mut NoTrace).outcome == Outcome::Allow;
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = list_principals(&snapshot, &case.request, after, 2);
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let uins = case.account.input.principals.iter().map(|it| it.uin);
        // What an owner granted was granted to the one who asked, and to nobody else.
        let asks = |uin: u64| {
            case.ask(|it| {
                it.principal = uin;
                it.granted_by_owner = false;
            })
        };
        let expected: Vec<u64> = uins.filter(|uin| is_allowed(&asks(*uin))).collect();
        prop_assert_eq!(found, expected);

        let page = list_actions(&snapshot, case.request.parts(), None, usize::MAX).unwrap();
        for action in case.world.catalog().all_actions() {
            let name = ActionName::parse(&action.qualified_name()).unwrap();
            let mut parts = case.request.parts().clone();
            parts.action = name.clone();
            let asked = Request::check(parts, case.world.catalog());
            prop_assert_eq!(asked.is_ok_and(|it| is_allowed(&it)), page.items.contains(&name));
        }

        let set = case.ask(|it| {
            it.action = ActionName::parse("im:SetConfInfo").unwrap();
            it.resource = Resource::Star;
            it.registered_owner = None;
        });
        let page = list_resources(&snapshot, &set, None, usize::MAX).unwrap();
        for id in snapshot.sdkappids() {
            let name = format!("qcs::im::uin/12345678:sdkappid/{id}");
            let mut parts = set.parts().clone();
            parts.resource = Resource::parse(&name).unwrap();
            let one = Request::check(parts, case.world.catalog()).unwrap();
            prop_assert_eq!(is_allowed(&one), page.items.contains(&id));
        }
    }
}

fn case_accepts(seed: u64) -> bool {
    Case::new(seed).request.parts().accepts_filter
}
