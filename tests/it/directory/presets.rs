//! Presets, and the operator's own from files.

use camgate::catalog::Catalog;
use camgate::directory::{
    OperatorFile, OperatorPreset, OperatorUpdate, PolicyId, Presets, Target, VersionNumber,
    operator_presets_update,
};

use super::{ALICE, ALLOW, DENY, Fixture, attach};

fn file(name: &str, text: &str) -> OperatorFile {
    OperatorFile { name: name.into(), content: Ok(text.into()) }
}

fn update(
    recorded: &[OperatorPreset],
    files: &[OperatorFile],
    attached: &[PolicyId],
) -> OperatorUpdate {
    operator_presets_update(recorded, files, Catalog::builtin(), |id| attached.contains(&id))
}

/// The records after an update.
fn merged(recorded: &[OperatorPreset], update: &OperatorUpdate) -> Vec<OperatorPreset> {
    let mut records: Vec<_> = recorded
        .iter()
        .filter(|old| update.records.iter().all(|new| new.name != old.name))
        .cloned()
        .collect();
    records.extend(update.records.clone());
    records
}

#[test]
fn shipped_presets_are_found_by_id_and_name_and_can_be_read() {
    let presets = Presets::built_in();
    let admin = presets.named("AdministratorAccess").unwrap();
    assert_eq!(presets.get(admin.id), Some(admin));
    assert!(presets.iter().all(|it| it.body.problem().is_none() && !it.id.is_custom()));
    assert!(!presets.general_input().is_empty(), "rule D-13");
    assert_eq!(
        presets.shared_input().len() + presets.general_input().len(),
        presets.iter().count()
    );
}

#[test]
fn operator_presets_get_ids_once_by_name() {
    let first = update(&[], &[file("b", ALLOW), file("只读", DENY)], &[]);
    assert_eq!(first.problems, []);
    let ids: Vec<_> = first.records.iter().map(|it| (it.name.as_str(), it.id.0)).collect();
    assert_eq!(ids, [("b", 500_000), ("只读", 500_001)]);
    // The same files change nothing; a changed one is a new version under the same id.
    assert_eq!(update(&first.records, &[file("b", ALLOW), file("只读", DENY)], &[]).records, []);
    let changed = update(&first.records, &[file("b", DENY), file("只读", DENY)], &[]);
    assert_eq!(changed.records.len(), 1);
    assert_eq!((changed.records[0].id.0, changed.records[0].version), (500_000, VersionNumber(2)));
    assert_ne!(changed.digest, first.digest);
}

#[test]
fn a_file_that_breaks_or_vanishes_keeps_its_last_good_content() {
    let records = update(&[], &[file("a", ALLOW), file("b", ALLOW)], &[]).records;
    let (a, b) = (records[0].id, records[1].id);
    let broken = [file("a", "{"), file("b", ALLOW)];
    let after = update(&records, &broken, &[a]);
    assert_eq!(after.records, []);
    assert_eq!(after.problems.len(), 1);
    assert!(after.problems[0].is_kept && !after.problems[0].findings.is_empty());
    let gone = update(&records, &[], &[a]);
    assert_eq!(gone.problems.len(), 1);
    assert_eq!((gone.problems[0].name.as_str(), gone.problems[0].is_kept), ("a", true));
    // b was attached nowhere: withdrawn, and back under the same id.
    assert_eq!(
        gone.records.iter().map(|it| (it.id, it.is_withdrawn)).collect::<Vec<_>>(),
        [(b, true)]
    );
    let records = merged(&records, &gone);
    assert_eq!(update(&records, &[], &[a]).records, []);
    let broken_while_gone = update(&records, &[file("a", ALLOW), file("b", "{")], &[a]);
    assert!(!broken_while_gone.problems[0].is_kept);
    let back = update(&records, &[file("a", ALLOW), file("b", ALLOW)], &[a]);
    assert_eq!((back.records[0].id, back.records[0].is_withdrawn), (b, false));
    assert_eq!(back.records[0].version, VersionNumber(1));
    // A third name does not get the withdrawn id.
    let third = update(&records, &[file("a", ALLOW), file("c", ALLOW)], &[a]);
    assert_eq!(third.records[0].id.0, 500_002);
}

#[test]
fn files_that_cannot_be_presets_are_reported() {
    let unreadable = OperatorFile { name: "u".into(), content: Err("permission denied".into()) };
    let files = [
        file("twice", ALLOW),
        file("twice", ALLOW),
        file("AdministratorAccess", ALLOW),
        file("a b", ALLOW),
        unreadable,
        file("fine", ALLOW),
    ];
    let after = update(&[], &files, &[]);
    let names: Vec<_> = after.problems.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["AdministratorAccess", "a b", "twice", "u"]);
    assert_eq!(after.records.len(), 1);
    let last = OperatorPreset { id: PolicyId(999_999), ..after.records[0].clone() };
    let full = update(&[last], &[file("fine", ALLOW), file("one-more", ALLOW)], &[]);
    assert_eq!(full.records, []);
    assert_eq!(full.problems[0].name, "one-more");
}

#[test]
fn the_digest_tells_sets_of_files_apart_and_not_their_order() {
    let digest = |files: &[OperatorFile]| update(&[], files, &[]).digest;
    let (a, b) = (file("a", ALLOW), file("b", DENY));
    assert_eq!(digest(&[a.clone(), b.clone()]), digest(&[b.clone(), a.clone()]));
    assert_ne!(digest(&[a.clone(), b]), digest(std::slice::from_ref(&a)));
    assert_ne!(digest(&[a]), digest(&[file("a", "{")]));
    assert_ne!(digest(&[file("ab", "c")]), digest(&[file("a", "bc")]));
}

#[test]
fn a_withdrawn_preset_cannot_be_attached_and_stays_in_force_where_it_is() {
    let mut fixture = Fixture::new();
    let mut records = update(&[], &[file("own", ALLOW)], &[]).records;
    fixture.presets = Presets::new(&records);
    fixture.attach("own", Target::User(ALICE));
    records[0].is_withdrawn = true;
    fixture.presets = Presets::new(&records);
    fixture.user(7, "carol");
    fixture.refused(attach("own", Target::User(7)));
    assert!(fixture.presets.shared_input().iter().any(|it| it.id == 500_000));
}

#[test]
fn a_custom_policy_keeps_its_name_when_the_operator_takes_it_later() {
    let mut fixture = Fixture::new();
    let custom = fixture.policy("own", ALLOW);
    fixture.presets = Presets::new(&update(&[], &[file("own", DENY)], &[]).records);
    fixture.attach("own", Target::User(ALICE));
    assert_eq!(fixture.state.sub_account(ALICE).unwrap().attachments[0].policy, custom);
}
