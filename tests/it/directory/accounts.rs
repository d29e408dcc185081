//! Accounts, sub-accounts and groups.

use std::sync::Arc;

use camgate::directory::{
    AddToGroup, Command, CreateAccount, CreateGroup, DeleteGroup, DeleteSubAccount, DirectoryError,
    ErrorKind, GroupId, Quota, RemoveFromGroup, SubAccountKind, Target, UinEntry, UpdateGroup,
    UpdateSubAccount, execute_all,
};

use super::{ALICE, ALLOW, BOB, Fixture, OWNER, create_user};

fn join(group: GroupId, uin: u64) -> Command {
    Command::AddToGroup(AddToGroup { group: group.into(), uin })
}

fn rename(uin: u64, name: &str) -> Command {
    let name = Some(name.into());
    Command::UpdateSubAccount(UpdateSubAccount { uin, name, ..Default::default() })
}

fn create_group(name: &str) -> Command {
    Command::CreateGroup(CreateGroup { name: name.into(), remark: String::new() })
}

fn delete_user(uin: u64, force: bool) -> Command {
    Command::DeleteSubAccount(DeleteSubAccount { uin, force, delete_keys: false })
}

#[test]
fn an_account_is_created_once_and_first() {
    let mut fixture = Fixture::vacant();
    let early = fixture.refused(create_user(ALICE, "alice", SubAccountKind::SubUser));
    assert_eq!(early, DirectoryError::NoAccount);
    let create = Command::CreateAccount(CreateAccount { owner: OWNER });
    fixture.done(create.clone());
    assert_eq!(fixture.state.owner(), Some(OWNER));
    assert_eq!(fixture.refused(create).kind(), ErrorKind::AlreadyExists);
}

#[test]
fn names_have_limits_in_characters_of_every_script() {
    let mut fixture = Fixture::new();
    let cases = [
        ("测".repeat(64), true),
        ("测".repeat(65), false),
        ("a".repeat(64), true),
        ("a".repeat(65), false),
        ("运营+=,.@-_1".to_owned(), true),
        (String::new(), false),
        ("a b".to_owned(), false),
        ("a/b".to_owned(), false),
        ("a\u{0}".to_owned(), false),
        ("😀".to_owned(), false),
    ];
    for (name, is_fine) in cases {
        let mut trial = fixture.clone();
        assert_eq!(trial.run(&rename(ALICE, &name)).is_ok(), is_fine, "{name:?}");
        let user = create_user(7, &name, SubAccountKind::SubUser);
        assert_eq!(trial.clone().run(&user).is_ok(), is_fine && trial.state == fixture.state);
        assert_eq!(fixture.clone().run(&create_group(&name)).is_ok(), is_fine, "{name:?}");
    }
    let error = fixture.refused(rename(ALICE, &"测".repeat(65)));
    assert_eq!(
        error.to_string(),
        "the name of the sub-account has 65 characters: it must have 1 to 64"
    );
    assert_eq!(error.code(), "InvalidParameter.UserNameIllegal");
    let error = fixture.refused(rename(ALICE, "a b"));
    assert_eq!(
        error.to_string(),
        "the name of the sub-account must hold only letters, digits and `+=,.@-_`: it is `a b`"
    );
}

#[test]
fn remarks_have_300_bytes() {
    let mut fixture = Fixture::new();
    let remark = |text: String| {
        let remark = Some(text);
        Command::UpdateSubAccount(UpdateSubAccount { uin: ALICE, remark, ..Default::default() })
    };
    fixture.done(remark("备".repeat(100)));
    assert_eq!(fixture.refused(remark("备".repeat(101))).kind(), ErrorKind::Invalid);
    let nothing = UpdateSubAccount { uin: ALICE, ..Default::default() };
    let error = fixture.refused(Command::UpdateSubAccount(nothing));
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn names_and_uins_are_unique() {
    let mut fixture = Fixture::new();
    let twin = fixture.refused(create_user(7, "alice", SubAccountKind::SubUser));
    assert_eq!(twin.code(), "InvalidParameter.SubUserNameInUse");
    let same = fixture.refused(create_user(ALICE, "carol", SubAccountKind::SubUser));
    assert_eq!(same.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fixture.refused(rename(ALICE, "bob")).kind(), ErrorKind::AlreadyExists);
    fixture.idle(rename(ALICE, "alice"));
    fixture.group("ops");
    assert_eq!(fixture.refused(create_group("ops")).code(), "InvalidParameter.GroupNameInUse");
}

#[test]
fn a_uin_never_becomes_somebody_else() {
    let mut fixture = Fixture::new();
    fixture.done(delete_user(ALICE, false));
    // Back in its own account it is itself again; without what it held.
    fixture.user(ALICE, "alice");
    fixture.done(delete_user(ALICE, false));
    let foreign = UinEntry { uin: ALICE, is_root: false, home_uin: Some(9), owner_uins: vec![] };
    fixture.globals.set_uin(ALICE, Some(Arc::new(foreign)));
    for kind in SubAccountKind::ALL {
        fixture.refused(create_user(ALICE, "alice", kind));
    }
    let own = fixture.refused(create_user(OWNER.uin, "me", SubAccountKind::Collaborator));
    assert_eq!(own.code(), "InvalidParameter.UinError");
    for uin in [0, 1 << 53, u64::MAX] {
        fixture.refused(create_user(uin, "x", SubAccountKind::SubUser));
    }
}

#[test]
fn a_collaborator_belongs_to_ten_accounts_at_most() {
    let mut fixture = Fixture::new();
    let mut entry = UinEntry::unseen(500);
    entry.is_root = true;
    entry.owner_uins = (1..=10).collect();
    let full = entry.clone();
    entry.owner_uins.pop();
    let create = create_user(500, "合作者", SubAccountKind::Collaborator);
    fixture.globals.set_uin(500, Some(Arc::new(full)));
    let error = fixture.refused(create.clone());
    let (limit, actual) = (10, 11);
    let quota = Quota::AccountsPerCollaborator;
    assert_eq!(error, DirectoryError::QuotaExceeded { quota, limit, actual });
    fixture.globals.set_uin(500, Some(Arc::new(entry)));
    fixture.done(create);
    let joined = fixture.globals.uin(500).unwrap().unwrap();
    assert_eq!(joined.owner_uins.len(), 10);
    assert_eq!(joined.owner_uins.last(), Some(&OWNER.uin));
    fixture.done(delete_user(500, false));
    assert_eq!(fixture.globals.uin(500).unwrap().unwrap().owner_uins.len(), 9);
    // A root account is no sub-user.
    let error = fixture.refused(create_user(500, "x", SubAccountKind::SubUser));
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
}

#[test]
fn a_global_record_that_nobody_read_is_a_fault() {
    let mut fixture = Fixture::new();
    fixture.globals = camgate::directory::Globals::new();
    let command = create_user(7, "carol", SubAccountKind::SubUser);
    assert!(!command.global_reads(&Default::default()).is_empty());
    assert_eq!(fixture.refused(command).kind(), ErrorKind::Internal);
}

#[test]
fn quotas_hold_at_n_and_refuse_n_plus_one() {
    let mut fixture = Fixture::new();
    fixture.quotas.sub_accounts_per_account_max = 3;
    fixture.quotas.groups_per_account_max = 3;
    fixture.quotas.groups_per_user_max = 2;
    fixture.quotas.users_per_group_max = 2;
    fixture.user(7, "carol");
    let error = fixture.refused(create_user(8, "dave", SubAccountKind::SubUser));
    assert_eq!(error.code(), "InvalidParameter.SubUserFull");
    assert_eq!(
        error.to_string(),
        "there would be 4 sub-accounts in the account, the limit is 3: remove some first"
    );
    let groups = ["a", "b", "c"].map(|name| fixture.group(name));
    assert_eq!(fixture.refused(create_group("d")).code(), "InvalidParameter.GroupFull");
    fixture.done(join(groups[0], ALICE));
    fixture.done(join(groups[1], ALICE));
    assert_eq!(fixture.refused(join(groups[2], ALICE)).code(), "InvalidParameter.UserGroupFull");
    fixture.idle(join(groups[0], ALICE));
    fixture.done(join(groups[0], BOB));
    assert_eq!(fixture.refused(join(groups[0], 7)).code(), "InvalidParameter.GroupUserFull");
    // Deleted ones do not count.
    fixture.done(Command::DeleteGroup(DeleteGroup { group: groups[2].into(), force: false }));
    fixture.group("d");
}

#[test]
fn a_sub_account_in_use_is_deleted_only_by_force() {
    let mut fixture = Fixture::new();
    fixture.policy("p", ALLOW);
    fixture.attach("p", Target::User(ALICE));
    assert_eq!(fixture.refused(delete_user(ALICE, false)).kind(), ErrorKind::InUse);
    fixture.done(delete_user(ALICE, true));
    fixture.user(ALICE, "alice");
    assert!(fixture.state.sub_account(ALICE).unwrap().attachments.is_empty());
    assert_eq!(fixture.refused(delete_user(999, true)).kind(), ErrorKind::NotFound);
}

#[test]
fn a_group_in_use_is_deleted_only_by_force_and_its_id_stays_dead() {
    let mut fixture = Fixture::new();
    let group = fixture.group("ops");
    assert_eq!(group, GroupId(1));
    fixture.done(join(group, ALICE));
    let delete = |force| Command::DeleteGroup(DeleteGroup { group: "ops".into(), force });
    assert_eq!(fixture.refused(delete(false)).kind(), ErrorKind::InUse);
    fixture.done(delete(true));
    assert!(fixture.state.sub_account(ALICE).unwrap().groups.is_empty());
    assert!(fixture.state.group(group).is_none());
    assert!(fixture.state.groups.contains_key(&group), "a tombstone is left");
    assert_eq!(fixture.group("ops"), GroupId(2));
    let error = fixture.refused(join(group, ALICE));
    assert_eq!(error.code(), "ResourceNotFound.GroupNotExist");
    let leave = RemoveFromGroup { group: "ops".into(), uin: ALICE };
    fixture.idle(Command::RemoveFromGroup(leave));
    let update = UpdateGroup { group: "ops".into(), name: Some("运维".into()), remark: None };
    fixture.done(Command::UpdateGroup(update));
    assert!(fixture.state.group_named("运维").is_some());
}

#[test]
fn a_message_recipient_holds_nothing() {
    // rule D-12
    let mut fixture = Fixture::new();
    fixture.add(7, "inbox", SubAccountKind::MessageRecipient);
    let group = fixture.group("ops");
    let policy = fixture.policy("p", ALLOW);
    for command in [
        join(group, 7),
        super::attach(policy, Target::User(7)),
        Command::PutBoundary(camgate::directory::PutBoundary {
            target: camgate::directory::BoundaryTarget::User(7),
            policy: policy.into(),
        }),
    ] {
        assert_eq!(fixture.refused(command), DirectoryError::NotAPrincipal { uin: 7 });
    }
}

#[test]
fn several_commands_are_one_change_set_or_none() {
    let fixture = Fixture::new();
    let mut commands = vec![
        create_group("a"),
        Command::AddToGroup(AddToGroup { group: "a".into(), uin: ALICE }),
        create_user(7, "carol", SubAccountKind::SubUser),
        delete_user(7, false),
    ];
    let executed = execute_all(&fixture.state, &commands, &fixture.env()).unwrap();
    assert_eq!(executed.results.len(), 4);
    // The account's head, the group, alice and carol's uin; carol herself came and went.
    assert_eq!(executed.changes.len(), 4, "{:?}", executed.changes);
    commands.push(create_group("a"));
    let error = execute_all(&fixture.state, &commands, &fixture.env()).unwrap_err();
    assert_eq!((error.number, error.name), (5, "CreateGroup"));
}
