//! Access keys: SecretIds and SecretKeys, made and held.
//!
//! A [`SecretKey`] is wiped when dropped and says nothing in `Debug`; only [`SecretKey::expose`]
//! shows it, for the one reply that creates it, for signing and for sealing.

use std::fmt;

use zeroize::Zeroizing;

use super::random::{self, NoEntropy};

/// What every SecretId begins with.
pub const SECRET_ID_PREFIX: &str = "AKID";
/// Characters after the prefix in the id of an access key that we make.
const KEY_ID_CHARS: usize = 32;
/// The same for a temporary key; longer, so that people tell them apart.
const TEMPORARY_ID_CHARS: usize = 36;
/// Characters after the prefix that any SecretId may have.
const ID_CHARS_MIN: usize = 12;
const ID_CHARS_MAX: usize = 36;
/// Characters of a SecretKey that we make: about 190 bits.
const SECRET_KEY_CHARS: usize = 32;
/// Characters of a SecretKey that we take, from the environment of `--dev`.
const SECRET_KEY_CHARS_MIN: usize = 16;
const SECRET_KEY_CHARS_MAX: usize = 128;

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The secret half of a key.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// A new secret.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate() -> Result<Self, NoEntropy> {
        random::text(ALPHANUMERIC, SECRET_KEY_CHARS).map(Self)
    }

    /// A secret from outside: 16 to 128 ASCII characters, none of them a blank; else none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (SECRET_KEY_CHARS_MIN..=SECRET_KEY_CHARS_MAX).contains(&text.len());
        let is_word = text.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && is_word).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text itself. Never for a log, an error or a stored record.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// Whether a text has the shape of a SecretId: `AKID` and 12 to 36 ASCII letters and digits.
#[must_use]
pub fn is_secret_id(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(SECRET_ID_PREFIX) else { return false };
    (ID_CHARS_MIN..=ID_CHARS_MAX).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A SecretId for a new access key. It is random, so a deleted one never comes back.
///
/// # Errors
/// [`NoEntropy`].
pub fn generate_key_id() -> Result<String, NoEntropy> {
    generate_id(KEY_ID_CHARS)
}

/// A SecretId for a new temporary key.
///
/// # Errors
/// [`NoEntropy`].
pub fn generate_temporary_id() -> Result<String, NoEntropy> {
    generate_id(TEMPORARY_ID_CHARS)
}

fn generate_id(chars: usize) -> Result<String, NoEntropy> {
    let rest = random::text(ALPHANUMERIC, chars)?;
    Ok(format!("{SECRET_ID_PREFIX}{}", rest.as_str()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn new_keys_have_their_shape_and_never_repeat() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let (id, temporary) = (generate_key_id().unwrap(), generate_temporary_id().unwrap());
            assert!(is_secret_id(&id) && is_secret_id(&temporary), "{id} {temporary}");
            assert_eq!((id.len(), temporary.len()), (36, 40));
            let key = SecretKey::generate().unwrap();
            assert!(SecretKey::parse(key.expose()).is_some());
            assert_eq!(key.expose().len(), 32);
            for text in [id, temporary, key.expose().to_owned()] {
                assert!(seen.insert(text), "a secret came twice");
            }
        }
    }

    #[test]
    fn every_letter_comes_about_as_often_as_the_others() {
        let text = random::text(ALPHANUMERIC, 62_000).unwrap();
        for letter in ALPHANUMERIC {
            let count = text.bytes().filter(|byte| byte == letter).count();
            // 1,000 expected, about 31 of standard deviation.
            assert!((750..1_250).contains(&count), "{count} times {}", char::from(*letter));
        }
    }

    #[test]
    fn a_secret_says_nothing_in_debug() {
        let key = SecretKey::generate().unwrap();
        assert!(!format!("{key:?} {:?}", Some(&key)).contains(key.expose()));
    }

    #[test]
    fn other_shapes_are_no_secret_ids_and_no_secret_keys() {
        for text in ["", "AKID", "AKID12345678901", "akid123456789012", "AKID1234567890é2"] {
            assert!(!is_secret_id(text), "{text}");
        }
        assert!(!is_secret_id(&format!("AKID{}", "a".repeat(37))));
        assert!(!is_secret_id("AKID123456789012 "));
        assert!(is_secret_id("AKID123456789012"));
        for text in ["", "short", "with blanks in it, long", &"a".repeat(129)] {
            assert!(SecretKey::parse(text).is_none(), "{text}");
        }
    }
}
