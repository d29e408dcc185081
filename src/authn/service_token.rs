//! Tokens of service callers: made here, and known by their digests.

use std::fmt;

use zeroize::Zeroizing;

use super::random::{self, NoEntropy};

/// What every token begins with, so that people and scanners recognise one.
const TOKEN_PREFIX: &str = "cgt_";
/// Random characters of a token: 256 bits and more.
const TOKEN_CHARS: usize = 44;
/// Random characters of a token's id.
const TOKEN_ID_CHARS: usize = 12;
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A token that was just made: the one time that its text is there.
pub struct NewToken {
    /// Its id.
    pub id: String,
    text: Zeroizing<String>,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl NewToken {
    /// A new one.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate() -> Result<Self, NoEntropy> {
        let id = random::text(LOWER, TOKEN_ID_CHARS)?.to_string();
        let secret = random::text(ALPHANUMERIC, TOKEN_CHARS)?;
        let text = Zeroizing::new(format!("{TOKEN_PREFIX}{}", &*secret));
        Ok(Self { id, text })
    }

    /// Its text, for the one reply that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_say_nothing() {
        let (one, two) = (NewToken::generate().unwrap(), NewToken::generate().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert_ne!(one.id, two.id);
        assert!(one.expose().starts_with(TOKEN_PREFIX) && one.expose().len() == 48);
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
