//! Account folders: reading, writing, and plans from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use camgate::catalog::Catalog;
use camgate::directory::folder::{
    FOLDER_BYTES_MAX, FOLDER_FILES_MAX, Folder, Plan, PlanError, PlanOptions, Widening,
};
use camgate::directory::{
    BoundaryTarget, Command, CreateAccessKey, DirectoryError, PolicyId, PutBoundary, SealedSecret,
    Target, execute_all,
};
use proptest::prelude::*;

use super::random::{commands, play};
use super::{ALICE, ALLOW, BOB, DENY, Fixture, OWNER};

const ACCOUNT: &str = r#"{
  "owner_uin": 12345678, "app_id": 1250000001,
  "apps": [{"sdkappid": 1400000001, "name": "游戏", "tags": {"team": "game"}}],
  "sub_accounts": [
    {"uin": 100000001, "name": "alice", "kind": "sub_user", "remark": "运营", "groups": ["ops"],
     "policies": ["p", "QcloudIMReadOnlyAccess"], "boundary": "AdministratorAccess"},
    {"uin": 100000002, "name": "bob"},
    {"uin": 100000003, "name": "inbox", "kind": "message_recipient"}
  ],
  "groups": [{"name": "ops", "remark": "", "policies": ["d"]}]
}"#;

fn files(account: &str, policies: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([("account.json".to_owned(), account.as_bytes().to_vec())]);
    for (name, text) in policies {
        files.insert(format!("policies/{name}.json"), text.as_bytes().to_vec());
    }
    files
}

fn sample() -> Folder {
    let mut files = files(ACCOUNT, &[("p", ALLOW), ("d", DENY)]);
    files.insert("cases/first.json".into(), b"not read here".to_vec());
    files.insert("README.md".into(), b"# ours".to_vec());
    Folder::parse(&files).unwrap()
}

fn plan(fixture: &Fixture, folder: &Folder, prune: bool) -> Result<Plan, PlanError> {
    folder.plan(&fixture.state, &fixture.env(), PlanOptions { prune })
}

fn apply(fixture: &mut Fixture, plan: &Plan) {
    let executed = execute_all(&fixture.state, &plan.commands(), &fixture.env()).unwrap();
    fixture.apply(&executed.changes);
}

fn check_order(plan: &Plan) {
    let effective = plan.steps.iter().filter(|step| step.widening != Widening::Neutral);
    let mut has_widened = false;
    for step in effective {
        assert!(!(has_widened && step.widening == Widening::Narrows), "{:#?}", plan.steps);
        has_widened |= step.widening == Widening::Widens;
    }
}

/// A folder with its lists sorted, for comparison: order means nothing (rule D-03).
fn sorted(mut folder: Folder) -> Folder {
    for user in folder.sub_accounts.values_mut() {
        user.groups.sort();
        user.policies.sort();
    }
    for group in folder.groups.values_mut() {
        group.policies.sort();
    }
    folder.cases.clear();
    folder
}

fn exported(fixture: &Fixture) -> Folder {
    Folder::parse(&Folder::export(&fixture.state, &fixture.presets).unwrap()).unwrap()
}

#[test]
fn a_folder_is_read_checked_and_becomes_a_state() {
    let folder = sample();
    assert_eq!(folder.owner, OWNER);
    assert_eq!(folder.cases["first"], b"not read here");
    let fixture = Fixture::vacant();
    let (faults, _) = folder.check(&fixture.presets, Catalog::builtin());
    assert_eq!(faults, []);
    let state = folder.state(&fixture.presets, Catalog::builtin()).unwrap();
    assert_eq!(state.sub_accounts.len(), 3);
    assert_eq!(state.sub_account(ALICE).unwrap().boundary, Some(PolicyId(1)));
    let again = Fixture { state, ..fixture };
    assert_eq!(sorted(exported(&again)), sorted(folder));
}

#[test]
fn every_fault_of_a_folder_is_told_with_its_place() {
    let account = r#"{
      "owner_uin": 1, "owner_uin": 2, "app_id": -1, "extra": {},
      "apps": [{"sdkappid": "1", "name": "x"}, {"sdkappid": 3, "name": "x", "tags": {"a": 1}}],
      "sub_accounts": [
        {"uin": 5, "name": "x", "groups": ["none", "none"]},
        {"uin": 5, "name": "x", "kind": "root"},
        {"uin": 6, "name": "x"},
        {"uin": 7, "name": "r", "kind": "message_recipient", "boundary": "p"}
      ],
      "groups": [{"remark": 3}, "g"]
    }"#;
    let mut files = files(account, &[]);
    files.insert("policies/deep/x.json".into(), Vec::new());
    let faults = Folder::parse(&files).unwrap_err();
    let places: Vec<_> = faults.iter().map(|it| format!("{} {}", it.file, it.path)).collect();
    let expected = [
        "policies/deep/x.json ",
        "account.json owner_uin",
        "account.json extra",
        "account.json app_id",
        "account.json apps[0].sdkappid",
        "account.json apps[1].tags.a",
        "account.json groups[0]",
        "account.json groups[0].remark",
        "account.json groups[1]",
        "account.json sub_accounts[0].groups[1]",
        "account.json sub_accounts[0].groups",
        "account.json sub_accounts[1].kind",
        "account.json sub_accounts[2]",
        "account.json sub_accounts[3]",
    ];
    assert_eq!(places, expected, "{faults:#?}");
    for text in ["", "{", "[]", "null", "\u{feff}{}"] {
        let bad = BTreeMap::from([("account.json".to_owned(), text.as_bytes().to_vec())]);
        assert!(!Folder::parse(&bad).unwrap_err().is_empty(), "{text:?}");
    }
    assert_eq!(Folder::parse(&BTreeMap::new()).unwrap_err().len(), 1);
}

#[test]
fn descriptions_of_policies_are_part_of_the_folder() {
    let account = |policies: &str| {
        format!(r#"{{"owner_uin": 12345678, "app_id": 1250000001, "policies": {policies}}}"#)
    };
    let two = [("p", ALLOW), ("d", DENY)];
    let folder = |policies: &str| Folder::parse(&files(&account(policies), &two)).unwrap();
    let mut fixture = Fixture::new();
    let mut become_as = |policies: &str| -> (Vec<(Widening, String)>, [String; 2]) {
        let steps = plan(&fixture, &folder(policies), false).unwrap();
        apply(&mut fixture, &steps);
        let told = steps.steps.into_iter().map(|step| (step.widening, step.summary)).collect();
        let text = |name: &str| fixture.state.policy_named(name).unwrap().description.clone();
        (told, [text("p"), text("d")])
    };
    // A new policy gets the one of its entry, else none.
    let (_, texts) = become_as(r#"[{"name": "p", "description": "应用组"}]"#);
    assert_eq!(texts, ["应用组", ""]);
    // Only the description differs: one step that changes no decision.
    let (told, texts) = become_as(r#"[{"name": "d", "description": "no \"x\""}]"#);
    let step = (Widening::Neutral, "change the description of policy `d`".to_owned());
    assert_eq!((told, texts), (vec![step], ["应用组".to_owned(), "no \"x\"".to_owned()]));
    // Without an entry it is left as it is; an empty text removes it.
    assert_eq!(become_as("[]").0, []);
    let (told, texts) = become_as(r#"[{"name": "p", "description": ""}]"#);
    assert_eq!((told.len(), texts), (1, [String::new(), "no \"x\"".to_owned()]));
    // Only policies with a description are exported.
    let expected = BTreeMap::from([("d".to_owned(), "no \"x\"".to_owned())]);
    assert_eq!(exported(&fixture).descriptions, expected);
    // The files alone make the same state.
    let alone = folder(r#"[{"name": "p", "description": "群组"}]"#);
    let state = alone.state(&fixture.presets, Catalog::builtin()).unwrap();
    assert_eq!(state.policy_named("p").unwrap().description, "群组");

    let bad = account(
        r#"[{"name": "p", "description": "x"}, {"name": "p", "description": "y"},
            {"name": "none", "description": "x"}, {"name": "d"},
            {"name": "d", "description": 1, "text": ""}, "p"]"#,
    );
    let faults = Folder::parse(&files(&bad, &two)).unwrap_err();
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let expected = [
        "account.json (policies[1]): the policy `p` occurs twice: remove one",
        "account.json (policies[2].name): there is no file `policies/none.json`: add it, or \
         remove this entry",
        "account.json (policies[3]): the key `description` is missing",
        "account.json (policies[4].text): unknown key; expected one of `name`, `description`",
        "account.json (policies[4].description): expected a string, found a number",
        "account.json (policies[4]): the policy `d` occurs twice: remove one",
        "account.json (policies[5]): expected an object, found a string",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_folder_has_limits() {
    let mut many = files(ACCOUNT, &[("p", ALLOW), ("d", DENY)]);
    for number in many.len()..FOLDER_FILES_MAX {
        many.insert(format!("cases/{number}.json"), Vec::new());
    }
    assert!(Folder::parse(&many).is_ok());
    many.insert("cases/one-more.json".into(), Vec::new());
    let faults = Folder::parse(&many).unwrap_err();
    assert_eq!(faults[0].to_string(), "the folder has 20001 files, the limit is 20000");
    let mut large = files(ACCOUNT, &[("p", ALLOW), ("d", DENY)]);
    large.insert("cases/large.json".into(), vec![b' '; FOLDER_BYTES_MAX]);
    assert_eq!(Folder::parse(&large).unwrap_err().len(), 1);
}

#[test]
fn bad_documents_and_unknown_names_are_faults_of_the_check() {
    let bad = ALLOW.replace("2.0", "3.0");
    let folder = Folder::parse(&files(ACCOUNT, &[("p", &bad)])).unwrap();
    let presets = Fixture::vacant().presets;
    let (faults, _) = folder.check(&presets, Catalog::builtin());
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert_eq!((faults[0].file.as_str(), faults[0].path.as_str()), ("policies/p.json", "version"));
    assert!(faults[0].finding.is_some());
    assert!(faults[1].message.contains("`d`"));
    assert!(folder.state(&presets, Catalog::builtin()).is_err());
}

#[test]
fn a_plan_makes_the_state_the_folder_and_then_there_is_nothing_to_do() {
    let mut fixture = Fixture::new();
    let folder = sample();
    let first = plan(&fixture, &folder, false).unwrap();
    check_order(&first);
    apply(&mut fixture, &first);
    assert_eq!(sorted(exported(&fixture)), sorted(folder.clone()));
    assert!(plan(&fixture, &folder, false).unwrap().is_empty());
}

#[test]
fn sub_accounts_outside_the_folder_are_left_alone_unless_pruned() {
    let mut fixture = Fixture::new();
    fixture.user(7, "extra");
    let old = fixture.policy("old", ALLOW);
    fixture.attach(old, Target::User(7));
    fixture.attach("AdministratorAccess", Target::User(7));
    let mut pruned = fixture.clone();
    let kept = plan(&fixture, &sample(), false).unwrap();
    assert_eq!(kept.unmanaged, [(7, "extra".to_owned())]);
    check_order(&kept);
    apply(&mut fixture, &kept);
    // It loses what is deleted, and keeps the rest.
    assert_eq!(fixture.state.sub_account(7).unwrap().attachments.len(), 1);
    let all = plan(&pruned, &sample(), true).unwrap();
    assert_eq!(all.unmanaged, []);
    apply(&mut pruned, &all);
    assert!(pruned.state.sub_account(7).is_none());
}

#[test]
fn a_plan_that_cannot_be_done_says_why() {
    let mut fixture = Fixture::new();
    fixture.user(7, "extra");
    let old = fixture.policy("old", ALLOW);
    fixture.done(Command::PutBoundary(PutBoundary {
        target: BoundaryTarget::User(7),
        policy: old.into(),
    }));
    let error = plan(&fixture, &sample(), false).unwrap_err();
    assert!(error.to_string().contains("delete policy `old`"), "{error}");
    let other = ACCOUNT.replace("1250000001", "1250000002");
    let other = Folder::parse(&files(&other, &[("p", ALLOW), ("d", DENY)])).unwrap();
    assert!(matches!(plan(&fixture, &other, false), Err(PlanError::OtherAccount { .. })));
    let kind = ACCOUNT.replace(r#""kind": "sub_user""#, r#""kind": "wecom_sub_user""#);
    let kind = Folder::parse(&files(&kind, &[("p", ALLOW), ("d", DENY)])).unwrap();
    assert!(matches!(plan(&fixture, &kind, false), Err(PlanError::OtherKind { uin: ALICE, .. })));
}

#[test]
fn names_can_be_swapped() {
    let mut fixture = Fixture::new();
    fixture.user(100_000_003, "carol");
    let swapped = r#"{"owner_uin": 12345678, "app_id": 1250000001, "sub_accounts": [
        {"uin": 100000001, "name": "bob"}, {"uin": 100000002, "name": "carol"},
        {"uin": 100000003, "name": "alice"}]}"#;
    let folder = Folder::parse(&files(swapped, &[])).unwrap();
    let ring = plan(&fixture, &folder, false).unwrap();
    assert_eq!(ring.steps.len(), 4, "{:#?}", ring.steps);
    apply(&mut fixture, &ring);
    assert_eq!(fixture.state.sub_account(BOB).unwrap().name.as_ref(), "carol");
    assert!(plan(&fixture, &folder, false).unwrap().is_empty());
}

#[test]
fn a_changed_document_is_a_new_version_and_the_oldest_makes_room() {
    let mut fixture = Fixture::new();
    let folder = |text: &str| {
        let account = r#"{"owner_uin": 12345678, "app_id": 1250000001, "sub_accounts": [
            {"uin": 100000001, "name": "alice", "policies": ["p"]},
            {"uin": 100000002, "name": "bob"}]}"#;
        Folder::parse(&files(account, &[("p", text)])).unwrap()
    };
    let mut has_made_room = false;
    for round in 0..7 {
        let text = if round % 2 == 0 { ALLOW } else { DENY };
        let change = plan(&fixture, &folder(text), false).unwrap();
        has_made_room |= change.steps.iter().any(|it| it.summary.contains("delete version"));
        check_order(&change);
        apply(&mut fixture, &change);
    }
    assert!(has_made_room);
    let policy = fixture.state.policy_named("p").unwrap();
    assert_eq!(fixture.state.versions_of(policy.id).count(), 5);
    // A wrapped document is the same document (rule L-09).
    let wrapped = format!("{{\"strategyInfo\":{ALLOW}}}");
    assert!(plan(&fixture, &folder(&wrapped), false).unwrap().is_empty());
}

#[test]
fn the_global_records_to_read_are_those_of_what_comes_and_goes() {
    let mut fixture = Fixture::new();
    fixture.user(7, "extra");
    let reads = sample().global_reads(&fixture.state);
    let keys = |plan: &Plan| -> BTreeSet<_> {
        plan.steps.iter().flat_map(|step| step.command.global_reads(&fixture.state)).collect()
    };
    for prune in [false, true] {
        assert!(keys(&plan(&fixture, &sample(), prune).unwrap()).is_subset(&reads));
    }
}

#[test]
fn roles_and_keys_are_none_of_a_folders_business() {
    let mut fixture = Fixture::new();
    let (gone, kept) = (fixture.policy("gone", ALLOW), fixture.policy("kept", ALLOW));
    let role = fixture.role("deployer");
    fixture.attach(gone, Target::Role(role.into()));
    fixture.attach(kept, Target::Role(role.into()));
    let key = |holder| {
        Command::CreateAccessKey(CreateAccessKey {
            holder,
            secret_id: super::secret_id(1),
            sealed_secret: SealedSecret([1].into()),
            description: String::new(),
        })
    };
    fixture.done(key(BOB));
    let account = r#"{"owner_uin": 12345678, "app_id": 1250000001,
        "sub_accounts": [{"uin": 100000001, "name": "alice"}]}"#;
    let folder = Folder::parse(&files(account, &[("kept", ALLOW)])).unwrap();
    // Bob, whom the folder does not name, has a key: he is not pruned.
    let error = plan(&fixture, &folder, true).unwrap_err();
    assert!(error.to_string().contains("1 access keys"), "{error}");
    let steps = plan(&fixture, &folder, false).unwrap();
    let detach = steps.steps.iter().find(|step| step.summary.contains("the role `deployer`"));
    assert_eq!(detach.unwrap().widening, Widening::Narrows);
    let mut applied = fixture.clone();
    apply(&mut applied, &steps);
    let attached: Vec<PolicyId> =
        applied.state.role(role).unwrap().attachments.iter().map(|it| it.policy).collect();
    assert_eq!(attached, [kept]);
    assert_eq!(applied.state.access_keys, fixture.state.access_keys);
    assert!(plan(&applied, &folder, false).unwrap().is_empty());
    // A role's boundary is not taken away, so its policy stays.
    let target = BoundaryTarget::Role(role.into());
    fixture.done(Command::PutBoundary(PutBoundary { target, policy: gone.into() }));
    let error = plan(&fixture, &folder, false).unwrap_err();
    assert!(error.to_string().contains("0 users and 1 roles"), "{error}");
}

fn is_about_roles_or_keys(error: &DirectoryError) -> bool {
    matches!(
        error,
        DirectoryError::PolicyIsBoundary { users: 0, .. } | DirectoryError::HaveKeys { .. }
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn from_any_state_to_any_folder(from in commands(), to in commands()) {
        let mut fixture = play(&from);
        let wanted = exported(&play(&to));
        // Kinds never change, so a sub-account of another kind must be gone first.
        for (uin, user) in &wanted.sub_accounts {
            let is_other = |it: &camgate::directory::SubAccount| it.kind != user.kind;
            if fixture.state.sub_account(*uin).is_some_and(|it| is_other(it)) {
                return Ok(());
            }
        }
        fixture.globals = camgate::directory::Globals::assume_absent();
        let steps = match plan(&fixture, &wanted, true) {
            // A folder takes no boundary from a role, and deletes nobody with keys.
            Err(PlanError::Refused { error, .. }) if is_about_roles_or_keys(&error) => {
                return Ok(());
            }
            other => other.unwrap(),
        };
        check_order(&steps);
        let before = exported(&fixture);
        let held = fixture.state.clone();
        apply(&mut fixture, &steps);
        prop_assert_eq!(&held.access_keys, &fixture.state.access_keys);
        for (id, before) in &held.roles {
            let mut kept = (**before).clone();
            kept.attachments.retain(|it| {
                !it.policy.is_custom() || fixture.state.policy(it.policy).is_some()
            });
            prop_assert_eq!(&kept, &**fixture.state.role(*id).unwrap());
        }
        prop_assert_eq!(held.roles.len(), fixture.state.roles.len());
        // A policy that stays keeps its description where the folder has none.
        let mut expected = sorted(wanted.clone());
        for (name, description) in before.descriptions {
            if wanted.policies.contains_key(&name) {
                expected.descriptions.entry(name).or_insert(description);
            }
        }
        prop_assert_eq!(sorted(exported(&fixture)), expected);
        prop_assert!(plan(&fixture, &wanted, true).unwrap().is_empty());
        // Files to state to files: nothing is lost.
        let state = wanted.state(&fixture.presets, Catalog::builtin()).unwrap();
        let again = Fixture { state, ..fixture };
        prop_assert_eq!(sorted(exported(&again)), sorted(wanted));
    }
}

#[test]
fn steps_are_judged_by_what_the_documents_do() {
    let mut fixture = Fixture::new();
    for (name, text, uin) in [("allow", ALLOW, ALICE), ("deny", DENY, BOB)] {
        fixture.policy(name, text);
        fixture.attach(name, Target::User(uin));
    }
    // The two policies change sides; alice also gets a boundary.
    let account = r#"{"owner_uin": 12345678, "app_id": 1250000001, "sub_accounts": [
        {"uin": 100000001, "name": "alice", "policies": ["deny"], "boundary": "allow"},
        {"uin": 100000002, "name": "bob", "policies": ["allow"]}]}"#;
    let folder = Folder::parse(&files(account, &[("allow", ALLOW), ("deny", DENY)])).unwrap();
    let swap = plan(&fixture, &folder, false).unwrap();
    let steps: Vec<_> =
        swap.steps.iter().map(|step| (step.widening, step.summary.as_str())).collect();
    use Widening::{Narrows, Widens};
    let expected = [
        (Narrows, "detach policy `allow` from the sub-account `alice` (100000001)"),
        (Narrows, "attach policy `deny` to the sub-account `alice` (100000001)"),
        (Narrows, "set the boundary of the sub-account `alice` (100000001) to `allow`"),
        (Widens, "detach policy `deny` from the sub-account `bob` (100000002)"),
        (Widens, "attach policy `allow` to the sub-account `bob` (100000002)"),
    ];
    assert_eq!(steps, expected);
}
