//! Stored records: every value comes back, and nothing else is taken for one.

use camgate::directory::{
    Census, Change, ChangeHead, GlobalKey, GroupId, OperatorPreset, PolicyBody, PolicyId, Record,
    RecordKey, RoleId, UnixMillis, VersionNumber,
};
use camgate::store::record::{
    self, DoneRequest, KeyUse, OperatorDigest, OperatorHead, RecordProblem, Stored,
    encode_done_request, encode_key_use, encode_keyring, encode_next_uin, encode_operator_digest,
    encode_operator_head, encode_operator_preset, encode_store_id,
};
use camgate::store::{Entry, Mutation, Revision, key};
use proptest::prelude::*;

use super::random::{commands, play};
use super::{ALLOW, Fixture, OWNER};

fn entries(fixture: &Fixture) -> Vec<Entry> {
    let changes = fixture.state.records().map(Change::Put);
    changes
        .map(|change| match record::mutation(OWNER.uin, &change) {
            Mutation::Put { key, value } => Entry { key, value, revision: Revision(1) },
            Mutation::Delete { .. } => panic!("a put became a delete"),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_account_comes_back_from_its_records(commands in commands()) {
        let fixture = play(&commands);
        let mut entries = entries(&fixture);
        for entry in &entries {
            prop_assert!(entry.key.starts_with(&key::account_prefix(OWNER.uin)));
            prop_assert_eq!(key::owner_of(&entry.key), Some(OWNER.uin));
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let loaded = record::load_account(OWNER.uin, &entries).unwrap();
        prop_assert_eq!(&loaded, &fixture.state);
        prop_assert!(record::load_account(OWNER.uin + 1, &entries).is_err());
    }

    #[test]
    fn damaged_bytes_never_panic_and_never_pass_as_another_record(
        commands in commands(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for mut entry in entries(&play(&commands)).into_iter().take(20) {
            let at = place.index(entry.value.len());
            entry.value[at] = byte;
            if let Ok(Stored::Account { record, .. }) = record::decode(&entry.key, &entry.value) {
                prop_assert_eq!(key::record_key(OWNER.uin, record.key()), entry.key);
            }
        }
    }
}

#[test]
fn keys_sort_as_numbers_do_and_read_back() {
    let keys = [
        RecordKey::Account,
        RecordKey::SubAccount(9),
        RecordKey::SubAccount(10),
        RecordKey::Group(GroupId(u64::MAX)),
        RecordKey::Policy(PolicyId(1_000_000)),
        RecordKey::Version(PolicyId(1_000_000), VersionNumber(u32::MAX)),
        RecordKey::App(1_400_000_001),
        RecordKey::Role(RoleId::MIN),
        RecordKey::AccessKey(super::secret_id(1)),
        RecordKey::Global(GlobalKey::Uin(5)),
        RecordKey::Global(GlobalKey::App(5)),
        RecordKey::Global(GlobalKey::Secret(super::secret_id(1))),
    ];
    for (index, key) in keys.into_iter().enumerate() {
        let bytes = key::record_key(OWNER.uin, key);
        assert!(key::parse(&bytes).is_some(), "{key:?}");
        assert_eq!(bytes.starts_with(b"a/"), index < 9);
    }
    let sub_account = |uin| key::record_key(OWNER.uin, RecordKey::SubAccount(uin));
    assert!(sub_account(9) < sub_account(10));
    for bad in [&b""[..], b"a/1/h", b"a/00000000000012345678/z/1", b"q/x", b"\xff", b"u/5"] {
        assert_eq!(key::parse(bad), None);
    }
}

#[test]
fn records_outside_of_accounts_come_back() {
    let preset = OperatorPreset {
        id: PolicyId(500_000),
        name: "只读".into(),
        version: VersionNumber(3),
        body: PolicyBody::load(ALLOW.as_bytes()),
        is_withdrawn: true,
    };
    let key = key::operator_preset_key("只读");
    let stored = record::decode(&key, &encode_operator_preset(&preset)).unwrap();
    assert_eq!(stored, Stored::OperatorPreset(preset));
    let census = Some(Census { records: 3, sum: [7; 32] });
    let digest = OperatorDigest { digest: "ab".into(), census };
    let stored = record::decode(key::OPERATOR_DIGEST, &encode_operator_digest(&digest)).unwrap();
    assert_eq!(stored, Stored::OperatorDigest(digest));
    let change_head = ChangeHead { sequence: 9, digest: [3; 32] };
    let head = OperatorHead { change_head, census: Census { records: 1, sum: [1; 32] } };
    let stored = record::decode(key::OPERATOR_HEAD, &encode_operator_head(&head)).unwrap();
    assert_eq!(stored, Stored::OperatorHead(head));
    let stored = record::decode(key::NEXT_UIN, &encode_next_uin(100_000_000)).unwrap();
    assert_eq!(stored, Stored::NextUin(100_000_000));
    let stored = record::decode(key::STORE_ID, &encode_store_id("ab")).unwrap();
    assert_eq!(stored, Stored::StoreId("ab".into()));
    let stored = record::decode(key::KEYRING, &encode_keyring(&[1, 2])).unwrap();
    assert_eq!(stored, Stored::Keyring(vec![1, 2]));
    let (secret_id, last_used_at) = (super::secret_id(1), UnixMillis(5));
    let key_use = KeyUse { secret_id, last_used_at };
    let stored = record::decode(&key::key_use_key(secret_id), &encode_key_use(&key_use)).unwrap();
    assert_eq!(stored, Stored::KeyUse(key_use));
    let done = DoneRequest { request_digest: [7; 32], done_at: UnixMillis(-1), answer: vec![1, 2] };
    let key = key::done_request_key(OWNER.uin, "请求/1");
    let stored = record::decode(&key, &encode_done_request(&done)).unwrap();
    assert_eq!(stored, Stored::DoneRequest(done));
}

#[test]
fn what_is_not_ours_is_an_error_that_names_the_key() {
    let fixture = Fixture::new();
    let Some(Record::SubAccount(alice)) = fixture.state.record(RecordKey::SubAccount(super::ALICE))
    else {
        panic!("alice is missing")
    };
    let value = record::encode(&Record::SubAccount(alice));
    let own = key::record_key(OWNER.uin, RecordKey::SubAccount(super::ALICE));
    let other = key::record_key(OWNER.uin, RecordKey::SubAccount(super::BOB));
    assert!(record::decode(&own, &value).is_ok());
    let error = record::decode(&other, &value).unwrap_err();
    assert_eq!(error.problem, RecordProblem::OtherThanKey("uin"));
    assert!(error.to_string().contains("s/00000000000100000002"), "{error}");
    // Field 1 is the format: a varint after the byte 0x08.
    let mut newer = value.clone();
    assert_eq!(newer[..2], [8, 3]);
    newer[1] = 4;
    let problem = record::decode(&own, &newer).unwrap_err().problem;
    assert_eq!(problem, RecordProblem::UnknownFormat(4));
    let problem = record::decode(&own, &[]).unwrap_err().problem;
    assert_eq!(problem, RecordProblem::UnknownFormat(0));
    let cut = record::decode(&own, &value[..value.len() - 1]).unwrap_err();
    assert!(matches!(cut.problem, RecordProblem::NotAMessage(_)));
    let problem = record::decode(b"zzz", &value).unwrap_err().problem;
    assert_eq!(problem, RecordProblem::UnknownKey);
}

#[test]
fn records_of_the_first_format_are_still_read() {
    let fixture = Fixture::new();
    let mut entries = entries(&fixture);
    for entry in &mut entries {
        assert_eq!(entry.value[..2], [8, 3]);
        entry.value[1] = 1;
        if entry.key == key::head_key(OWNER.uin) {
            // Nor had it a seal: the last field, of 32 bytes.
            let seal = entry.value.split_off(entry.value.len() - 34);
            assert_eq!(seal[..2], [12 << 3 | 2, 32]);
        }
    }
    // The head had neither of the new counters; whatever stands there is not read.
    let loaded = record::load_account(OWNER.uin, &entries).unwrap();
    let account = loaded.account.unwrap();
    assert_eq!((account.next_role_id, account.next_uid), (RoleId::MIN, 1));
}

#[test]
fn a_stored_trust_policy_that_cannot_be_read_loads_as_unreadable() {
    let mut fixture = Fixture::new();
    let id = fixture.role("deployer");
    let Some(Record::Role(mut role)) = fixture.state.record(RecordKey::Role(id)) else {
        panic!("the role is missing")
    };
    // An identity policy trusts nobody, because it names nobody.
    std::sync::Arc::make_mut(&mut role).trust = PolicyBody::load_trust(ALLOW.as_bytes());
    fixture.apply(&[Change::Put(Record::Role(role))]);
    let loaded = record::load_account(OWNER.uin, &entries(&fixture)).unwrap();
    let trust = &loaded.role(id).unwrap().trust;
    assert!(trust.valid().is_none());
    assert_eq!(trust.bytes(), ALLOW.as_bytes());
}

#[test]
fn a_stored_document_that_cannot_be_read_loads_as_unreadable() {
    // rule D-05: the account loads, and whoever has the policy is denied.
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    let Some(Record::Version(mut version)) =
        fixture.state.record(RecordKey::Version(id, VersionNumber(1)))
    else {
        panic!("the version is missing")
    };
    std::sync::Arc::make_mut(&mut version).body = PolicyBody::load(b"\xff{");
    fixture.apply(&[Change::Put(Record::Version(version))]);
    let loaded = record::load_account(OWNER.uin, &entries(&fixture)).unwrap();
    let body = &loaded.default_version(id).unwrap().body;
    assert!(body.valid().is_none());
    assert_eq!(body.bytes(), b"\xff{");
}
