//! Access keys: whose they may be, how many, and what happens to them when their holder goes.
//! And the profiles of sub-accounts, which never count in decisions.

use camgate::directory::{
    Command, CreateAccessKey, CreateSubAccount, DeleteAccessKey, DeleteSubAccount, DirectoryError,
    ErrorKind, KeyStatus, PasswordHash, Profile, ProfileUpdate, SealedSecret, SecretEntry,
    SubAccountKind, UpdateAccessKey, UpdateSubAccount,
};

use super::{ALICE, BOB, Fixture, OWNER, secret_id};

fn create(holder: u64, number: u8, description: &str) -> Command {
    Command::CreateAccessKey(CreateAccessKey {
        holder,
        secret_id: secret_id(number),
        sealed_secret: SealedSecret([1, 2, 3].into()),
        description: description.to_owned(),
    })
}

fn switch(number: u8, holder: Option<u64>, status: KeyStatus) -> Command {
    let (secret_id, status, description) = (secret_id(number), Some(status), None);
    Command::UpdateAccessKey(UpdateAccessKey { secret_id, holder, status, description })
}

fn delete(number: u8, holder: Option<u64>) -> Command {
    Command::DeleteAccessKey(DeleteAccessKey { secret_id: secret_id(number), holder })
}

#[test]
fn a_holder_has_two_keys_at_most() {
    let mut fixture = Fixture::new();
    for holder in [OWNER.uin, ALICE] {
        let first = if holder == ALICE { 10 } else { 20 };
        fixture.done(create(holder, first, ""));
        fixture.done(create(holder, first + 1, "ci/部署@host:1"));
        let error = fixture.refused(create(holder, first + 2, ""));
        assert_eq!(error.code(), "OperationDenied.AccessKeyOverLimit");
        // An inactive key counts too.
        fixture.done(switch(first, Some(holder), KeyStatus::Inactive));
        fixture.refused(create(holder, first + 2, ""));
        fixture.done(delete(first, None));
        fixture.done(create(holder, first + 2, ""));
    }
    assert_eq!(fixture.state.keys_of(ALICE).count(), 2);
    let entry = SecretEntry { secret_id: secret_id(11), owner_uin: OWNER.uin };
    assert_eq!(fixture.globals.secret(secret_id(11)).unwrap(), Some(entry));
    assert_eq!(fixture.globals.secret(secret_id(10)).unwrap(), None);
}

#[test]
fn a_secret_id_is_given_once() {
    let mut fixture = Fixture::new();
    fixture.done(create(ALICE, 1, ""));
    assert_eq!(fixture.refused(create(BOB, 1, "")).kind(), ErrorKind::AlreadyExists);
    let elsewhere = SecretEntry { secret_id: secret_id(2), owner_uin: 9 };
    fixture.globals.set_secret(secret_id(2), Some(elsewhere));
    assert_eq!(fixture.refused(create(BOB, 2, "")).kind(), ErrorKind::AlreadyExists);
    fixture.globals = camgate::directory::Globals::new();
    assert_eq!(fixture.refused(create(BOB, 3, "")).kind(), ErrorKind::Internal);
}

#[test]
fn a_key_of_another_holder_is_not_found() {
    let mut fixture = Fixture::new();
    fixture.done(create(ALICE, 1, ""));
    for command in [
        switch(1, Some(BOB), KeyStatus::Inactive),
        delete(1, Some(BOB)),
        delete(2, None),
        create(999, 3, ""),
    ] {
        assert_eq!(fixture.refused(command).kind(), ErrorKind::NotFound);
    }
    let error = fixture.refused(delete(2, None));
    assert_eq!(error.code(), "ResourceNotFound.SecretNotExist");
    fixture.done(switch(1, None, KeyStatus::Inactive));
    fixture.idle(switch(1, Some(ALICE), KeyStatus::Inactive));
    let nothing =
        UpdateAccessKey { secret_id: secret_id(1), holder: None, status: None, description: None };
    assert_eq!(fixture.refused(Command::UpdateAccessKey(nothing)).kind(), ErrorKind::Invalid);
}

#[test]
fn descriptions_and_secrets_have_their_shapes() {
    let mut fixture = Fixture::new();
    let long = "d".repeat(1_025);
    for description in ["two words", "a&b", &long] {
        let error = fixture.refused(create(ALICE, 1, description));
        assert_eq!(error.code(), "InvalidParameter.ParamError");
    }
    fixture.done(create(ALICE, 1, &"d".repeat(1_024)));
    for sealed in [Vec::new(), vec![0; 513]] {
        let command = CreateAccessKey {
            holder: ALICE,
            secret_id: secret_id(2),
            sealed_secret: SealedSecret(sealed.into()),
            description: String::new(),
        };
        fixture.refused(Command::CreateAccessKey(command));
    }
}

#[test]
fn a_holder_with_keys_is_deleted_only_with_them() {
    let mut fixture = Fixture::new();
    fixture.done(create(ALICE, 1, ""));
    fixture.done(create(ALICE, 2, ""));
    let delete = |delete_keys| {
        Command::DeleteSubAccount(DeleteSubAccount { uin: ALICE, force: true, delete_keys })
    };
    let error = fixture.refused(delete(false));
    assert_eq!(error, DirectoryError::HaveKeys { name: "alice".into(), keys: 2 });
    assert_eq!(error.code(), "OperationDenied.HaveKeys");
    let reads = delete(true).global_reads(&fixture.state);
    assert_eq!(reads.len(), 3, "the uin and two keys: {reads:?}");
    fixture.done(delete(true));
    assert!(fixture.state.access_keys.is_empty());
    assert_eq!(fixture.globals.secret(secret_id(1)).unwrap(), None);
}

#[test]
fn a_message_recipient_has_neither_keys_nor_a_login() {
    // rule D-12
    let mut fixture = Fixture::new();
    fixture.add(7, "inbox", SubAccountKind::MessageRecipient);
    let refusal = DirectoryError::NotAPrincipal { uin: 7 };
    assert_eq!(fixture.refused(create(7, 1, "")), refusal);
    let profile = ProfileUpdate { console_login: Some(true), ..Default::default() };
    let login = UpdateSubAccount { uin: 7, profile, ..Default::default() };
    assert_eq!(fixture.refused(Command::UpdateSubAccount(login)), refusal);
    let email = Some("inbox@example.com".to_owned());
    let profile = ProfileUpdate { email, ..Default::default() };
    let contact = UpdateSubAccount { uin: 7, profile, ..Default::default() };
    fixture.done(Command::UpdateSubAccount(contact));
}

#[test]
fn a_profile_is_kept_and_changed_field_by_field() {
    let mut fixture = Fixture::new();
    let profile = Profile {
        console_login: true,
        need_reset_password: true,
        password_hash: Some(PasswordHash("$argon2id$x".to_owned())),
        phone_num: "139 0000-0000".to_owned(),
        country_code: "+86".to_owned(),
        email: "爱丽丝@example.com".to_owned(),
    };
    let (name, kind, remark) = ("carol".to_owned(), SubAccountKind::SubUser, String::new());
    let create = CreateSubAccount { uin: 7, name, kind, remark, profile: profile.clone() };
    fixture.done(Command::CreateSubAccount(create));
    let carol = fixture.state.sub_account(7).unwrap();
    assert_eq!(*carol.profile, profile);
    assert_eq!(carol.uid, 3, "after alice and bob");
    assert!(!format!("{carol:?}").contains("argon2id"), "a hash is printed");
    let update = |profile| {
        Command::UpdateSubAccount(UpdateSubAccount { uin: 7, profile, ..Default::default() })
    };
    let logout = ProfileUpdate { console_login: Some(false), ..Default::default() };
    fixture.done(update(logout.clone()));
    fixture.idle(update(logout));
    let carol = fixture.state.sub_account(7).unwrap();
    assert_eq!(*carol.profile, Profile { console_login: false, ..profile });
    let text = |text: &str| Some(text.to_owned());
    for bad in [
        ProfileUpdate { email: text("nobody"), ..Default::default() },
        ProfileUpdate { email: text("a b@c"), ..Default::default() },
        ProfileUpdate { phone_num: text("call me"), ..Default::default() },
        ProfileUpdate { phone_num: Some("1".repeat(33)), ..Default::default() },
        ProfileUpdate { country_code: text("123456789"), ..Default::default() },
        ProfileUpdate { password_hash: Some(PasswordHash(String::new())), ..Default::default() },
    ] {
        assert_eq!(fixture.refused(update(bad)).kind(), ErrorKind::Invalid);
    }
    assert_eq!(fixture.refused(update(ProfileUpdate::default())).kind(), ErrorKind::Invalid);
}
