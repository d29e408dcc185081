//! Console passwords: the rule they must keep, their hashes (argon2id), and generated ones.
//!
//! Only a hash is ever stored, as PHC text with its own salt and cost. Hashing is slow on purpose:
//! callers in async code hand it to a blocking thread.

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use thiserror::Error;
use zeroize::Zeroizing;

use super::random::{self, NoEntropy};

/// Shortest password, in characters (spec section 5).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: hashing time must not be the caller's choice.
pub const PASSWORD_BYTES_MAX: usize = 128;
/// Characters of a generated password (spec section 5).
pub const GENERATED_CHARS: usize = 32;
/// Longest stored hash, in bytes; ours have 97.
const HASH_BYTES_MAX: usize = 256;
/// Bytes of salt.
const SALT_BYTES: usize = 16;

const GENERATED_ALPHABET: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%()*+,-.:;=?@[]^_{}~";

/// A password in the clear. Wiped when dropped; says nothing in `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password is not taken, or not hashed.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error(
        "a password must have at least {PASSWORD_CHARS_MIN} characters and at most \
         {PASSWORD_BYTES_MAX} bytes; this one has {chars} characters and {bytes} bytes"
    )]
    Length {
        /// Its characters.
        chars: usize,
        /// Its bytes.
        bytes: usize,
    },
    /// A kind of character is missing.
    #[error("a password must hold {0}")]
    Lacks(&'static str),
    /// A character that nobody can type again for sure.
    #[error("a password must not hold control characters")]
    Control,
    /// No salt.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The hash function refused; its parameters are constants, so this is a bug.
    #[error("hashing the password failed: {0}")]
    Hash(argon2::password_hash::Error),
}

impl Password {
    /// Takes a password that keeps the default rule: at least 8 characters, with an upper-case
    /// letter, a lower-case letter, a digit and a special character.
    ///
    /// # Errors
    /// Which part of the rule it breaks; the password itself is not repeated.
    pub fn new(text: Zeroizing<String>) -> Result<Self, PasswordError> {
        let (chars, bytes) = (text.chars().count(), text.len());
        if chars < PASSWORD_CHARS_MIN || bytes > PASSWORD_BYTES_MAX {
            return Err(PasswordError::Length { chars, bytes });
        }
        if text.chars().any(char::is_control) {
            return Err(PasswordError::Control);
        }
        let has = |is: fn(&char) -> bool| text.chars().any(|c| is(&c));
        let kinds = [
            (has(char::is_ascii_uppercase), "an upper-case letter, A to Z"),
            (has(char::is_ascii_lowercase), "a lower-case letter, a to z"),
            (has(char::is_ascii_digit), "a digit, 0 to 9"),
            (has(char::is_ascii_punctuation), "a special character, such as ! or #"),
        ];
        match kinds.into_iter().find(|(has, _)| !has) {
            Some((_, lacks)) => Err(PasswordError::Lacks(lacks)),
            None => Ok(Self(text)),
        }
    }

    /// A new password of 32 characters that keeps the rule.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate() -> Result<Self, NoEntropy> {
        // Drawn anew until every kind is there, so that no place prefers a kind; about one of
        // thirty lacks one.
        loop {
            let text = random::text(GENERATED_ALPHABET, GENERATED_CHARS)?;
            if let Ok(password) = Self::new(text) {
                return Ok(password);
            }
        }
    }

    /// The text itself, for the one reply that creates it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash to store, as PHC text.
    ///
    /// # Errors
    /// [`PasswordError::NoEntropy`] or [`PasswordError::Hash`].
    pub fn hash(&self) -> Result<String, PasswordError> {
        let salt = random::bytes::<SALT_BYTES>()?;
        let hashed: PasswordHash = Argon2::default()
            .hash_password_with_salt(self.0.as_bytes(), salt.as_slice())
            .map_err(PasswordError::Hash)?;
        Ok(hashed.to_string())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// Whether a password has this stored hash; never, when either is out of bounds or not readable.
#[must_use]
pub fn verify(password: &str, stored_hash: &str) -> bool {
    if password.len() > PASSWORD_BYTES_MAX || stored_hash.len() > HASH_BYTES_MAX {
        return false;
    }
    PasswordHash::new(stored_hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Result<Password, PasswordError> {
        Password::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn the_rule_asks_for_eight_characters_of_four_kinds() {
        for good in ["Aa1!aaaa", "密码Aa1!bb", "Aa1 !Aa1", &format!("Aa1!{}", "x".repeat(124))] {
            assert!(password(good).is_ok(), "{good}");
        }
        let bad = [
            ("Aa1!aaa", "8 characters"),
            (&format!("Aa1!{}", "x".repeat(125)), "128 bytes"),
            ("aa1!aaaa", "upper-case"),
            ("AA1!AAAA", "lower-case"),
            ("Aaa!aaaa", "digit"),
            ("Aa1aaaaa", "special"),
            ("Aa1!aa\naa", "control"),
        ];
        for (text, why) in bad {
            let error = password(text).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_hash_verifies_its_own_password_only() {
        let password = password("Correct-1").unwrap();
        let (hash, again) = (password.hash().unwrap(), password.hash().unwrap());
        assert!(hash.starts_with("$argon2id$v=19$") && hash.len() <= 97, "{hash}");
        assert_ne!(hash, again, "each hash has its own salt");
        assert!(verify("Correct-1", &hash));
        for (wrong, hash) in
            [("Correct-2", hash.as_str()), ("", &hash), ("Correct-1", ""), ("Correct-1", "$x$")]
        {
            assert!(!verify(wrong, hash));
        }
        assert!(!verify(&"x".repeat(129), &hash));
    }

    #[test]
    fn generated_passwords_keep_the_rule_and_differ() {
        let (one, two) = (Password::generate().unwrap(), Password::generate().unwrap());
        assert_eq!(one.expose().chars().count(), 32);
        assert!(password(one.expose()).is_ok() && password(two.expose()).is_ok());
        assert_ne!(one.expose(), two.expose());
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
