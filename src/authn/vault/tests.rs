//! The vault keeps what it promises: only its own things open, and only for whom they were sealed.

use proptest::prelude::*;

use super::claims::{Claims, Issuer, SessionKind};
use super::keyring::{self, KeyringError, Rewrapped};
use super::master_key::{MasterKey, MasterKeyError};
use super::*;

const SECRET_ID: &str = "AKIDabcdefghijklmnopqrstuvwxyz012345";

fn new_vault() -> (MasterKey, Vec<u8>, Vault) {
    let master = MasterKey::generate().unwrap();
    let (record, vault) = keyring::create(&master).unwrap();
    (master, record, vault)
}

fn claims() -> Claims {
    Claims {
        kind: SessionKind::Role,
        owner_uin: 12_345_678,
        principal: 4_611_686_018_427_387_904,
        name: "alice".into(),
        issuer: Issuer { owner_uin: 12_345_678, uin: 12_345_679, secret_id: SECRET_ID.into() },
        issued_at_ms: 1_717_200_000_000,
        expires_at_ms: 1_717_207_200_000,
        secret_id: "AKIDtemporary000000000000000000000000000".into(),
        policies: vec![r#"{"version":"2.0","statement":[]}"#.into()],
        has_mfa: true,
        through: vec![(1, 4_611_686_018_427_387_905)],
    }
}

#[test]
fn a_secret_opens_for_its_owner_and_id_only() {
    let (_, _, vault) = new_vault();
    let secret = SecretKey::generate().unwrap();
    let sealed = vault.seal_secret(7, SECRET_ID, &secret).unwrap();
    assert_ne!(sealed, vault.seal_secret(7, SECRET_ID, &secret).unwrap(), "nonces are fresh");
    assert_eq!(vault.open_secret(7, SECRET_ID, &sealed).unwrap().expose(), secret.expose());
    assert!(vault.open_secret(8, SECRET_ID, &sealed).is_err());
    assert!(vault.open_secret(7, "AKIDabcdefghijklmnop", &sealed).is_err());
    let (_, _, other) = new_vault();
    assert!(other.open_secret(7, SECRET_ID, &sealed).is_err());
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(vault.open_secret(7, SECRET_ID, &damaged).is_err(), "byte {at}");
        assert!(vault.open_secret(7, SECRET_ID, &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_token_gives_its_claims_back_to_its_own_store_only() {
    let (_, _, vault) = new_vault();
    let (_, _, other) = new_vault();
    for kind in [SessionKind::Role, SessionKind::Federation, SessionKind::Session] {
        let claims = Claims { kind, ..claims() };
        let token = vault.seal_token(&claims).unwrap();
        assert_eq!(vault.open_token(&token).unwrap(), claims);
        assert!(matches!(other.open_token(&token), Err(VaultError::NotOurs("token"))));
        let secret = vault.temporary_secret(&claims, &token).unwrap();
        assert_eq!(secret.expose().len(), 43);
        let again = vault.seal_token(&claims).unwrap();
        let other_secret = vault.temporary_secret(&claims, &again).unwrap();
        assert_ne!(secret.expose(), other_secret.expose(), "each token has its own secret");
        assert_ne!(secret.expose(), other.temporary_secret(&claims, &token).unwrap().expose());
    }
}

#[test]
fn a_secret_is_no_token_and_a_token_no_secret() {
    let (_, _, vault) = new_vault();
    let secret = SecretKey::generate().unwrap();
    let sealed = vault.seal_secret(7, SECRET_ID, &secret).unwrap();
    assert!(vault.open_token(&URL_SAFE_NO_PAD.encode(&sealed)).is_err());
    let token = vault.seal_token(&claims()).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    assert!(vault.open_secret(7, SECRET_ID, &bytes).is_err());
}

#[test]
fn every_changed_character_of_a_token_is_noticed() {
    let (_, _, vault) = new_vault();
    let token = vault.seal_token(&claims()).unwrap();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(bytes).unwrap();
        assert!(vault.open_token(&damaged).is_err(), "character {at}");
        assert!(vault.open_token(token.get(..at).unwrap()).is_err(), "cut at {at}");
    }
    assert!(vault.open_token(&format!("{token}=")).is_err());
    assert!(vault.open_token(&format!("{token}A")).is_err());
}

#[test]
fn a_token_has_at_most_4096_bytes() {
    let (_, _, vault) = new_vault();
    let with = |bytes: usize| Claims { policies: vec!["x".repeat(bytes)], ..claims() };
    let longest = (0..4_096).rev().find(|bytes| vault.seal_token(&with(*bytes)).is_ok()).unwrap();
    let token = vault.seal_token(&with(longest)).unwrap();
    assert!(token.len() > 4_090 && token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
    assert!(vault.open_token(&token).is_ok());
    let error = vault.seal_token(&with(longest + 3)).unwrap_err();
    assert!(matches!(error, VaultError::TokenTooLong { bytes } if bytes > TOKEN_BYTES_MAX));
    assert!(vault.open_token(&"A".repeat(TOKEN_BYTES_MAX + 1)).is_err());
}

#[test]
fn a_token_with_too_many_policies_or_roles_does_not_open() {
    let (_, _, vault) = new_vault();
    for claims in [
        Claims { policies: vec![String::new(); claims::SESSION_POLICIES_MAX + 1], ..claims() },
        Claims { through: vec![(1, 2); claims::ROLE_STEPS_MAX + 1], ..claims() },
    ] {
        assert!(vault.open_token(&vault.seal_token(&claims).unwrap()).is_err());
    }
}

#[test]
fn a_keyring_opens_under_its_master_key_only() {
    let (master, record, vault) = new_vault();
    let secret = SecretKey::generate().unwrap();
    let sealed = vault.seal_secret(7, SECRET_ID, &secret).unwrap();
    let opened = keyring::open(&record, &master).unwrap();
    assert_eq!(opened.open_secret(7, SECRET_ID, &sealed).unwrap().expose(), secret.expose());
    let other = MasterKey::generate().unwrap();
    let error = keyring::open(&record, &other).unwrap_err();
    let KeyringError::OtherMasterKey { wanted, given } = error else { panic!("{error}") };
    assert_eq!((wanted, given), (master.id(), other.id()));
    for at in 0..record.len() {
        let mut damaged = record.clone();
        damaged[at] ^= 1;
        assert!(keyring::open(&damaged, &master).is_err(), "byte {at}");
        assert!(keyring::open(&record[..at], &master).is_err(), "cut at {at}");
    }
}

#[test]
fn rotation_keeps_everything_sealed_and_happens_once() {
    let (old, record, vault) = new_vault();
    let new = MasterKey::generate().unwrap();
    let token = vault.seal_token(&claims()).unwrap();
    let Rewrapped::New(rotated) = keyring::rewrap(&record, &old, &new).unwrap() else {
        panic!("not rotated");
    };
    assert_eq!(keyring::open(&rotated, &new).unwrap().open_token(&token).unwrap(), claims());
    assert!(matches!(keyring::open(&rotated, &old), Err(KeyringError::OtherMasterKey { .. })));
    assert_eq!(keyring::rewrap(&rotated, &old, &new).unwrap(), Rewrapped::Already);
    let third = MasterKey::generate().unwrap();
    assert!(keyring::rewrap(&rotated, &old, &third).is_err(), "neither key fits");
}

#[test]
fn a_master_key_survives_its_line_and_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let key = MasterKey::generate().unwrap();
    key.create_file(&path).unwrap();
    assert!(key.create_file(&path).is_err(), "a file that exists is never touched");
    let read = MasterKey::read_file(&path).unwrap();
    assert_eq!((read.id(), read.id().len()), (key.id(), 16));
    assert_eq!(*MasterKey::parse(&key.to_line()).unwrap().to_line(), *key.to_line());
    let shown = format!("{key:?}");
    assert!(
        !shown.contains(key.to_line().strip_prefix("camgate-master-key-1:").unwrap()),
        "{shown}"
    );
    std::fs::write(&path, format!("{}\n\n", key.to_line().as_str())).unwrap();
    assert!(matches!(MasterKey::read_file(&path), Err(MasterKeyError::NotALine)));
}

#[cfg(unix)]
#[test]
fn a_master_key_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKey::generate().unwrap().create_file(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o660, 0o604, 0o620, 0o601] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = MasterKey::read_file(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("{mode:03o}")), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn only_root_hands_a_master_key_to_a_group() {
    use super::master_key::is_open;
    for (mode, of_root, of_others) in [
        (0o400, false, false),
        (0o600, false, false),
        (0o440, false, true),
        (0o640, false, true),
        (0o660, true, true),
        (0o650, true, true),
        (0o644, true, true),
        (0o602, true, true),
    ] {
        assert_eq!((is_open(mode, 0), is_open(mode, 1_000)), (of_root, of_others), "{mode:03o}");
    }
}

#[test]
fn other_lines_are_no_master_keys() {
    let line = MasterKey::generate().unwrap().to_line();
    let (no_start, no_end) = (line.get(1..).unwrap(), line.get(..64).unwrap());
    for text in ["", "camgate-master-key-1:", no_start, no_end, &format!("{}A", *line)] {
        let error = MasterKey::parse(text).unwrap_err();
        assert!(text.is_empty() || !error.to_string().contains(&*line), "{error}");
    }
    assert!(MasterKey::parse(&format!(" {}", *line)).is_err());
}

proptest! {
    #[test]
    fn no_text_panics_a_vault_or_opens(text in "[A-Za-z0-9_-]{0,200}", bytes: Vec<u8>) {
        let (master, _, vault) = new_vault();
        prop_assert!(vault.open_token(&text).is_err());
        prop_assert!(vault.open_secret(1, SECRET_ID, &bytes).is_err());
        prop_assert!(keyring::open(&bytes, &master).is_err());
        let _ = Claims::decode(&bytes);
    }
}
