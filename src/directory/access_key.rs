//! Access keys: what callers of the API sign with.
//!
//! The secret stands here only sealed, by whoever holds the data key; nothing of this floor can
//! open it, and it must never be printed.

use std::fmt;
use std::sync::Arc;

use super::id::UnixMillis;

/// What every SecretId begins with.
const PREFIX: &str = "AKID";

/// The public half of an access key: `AKID` and 12 to 36 ASCII letters and digits. Made at random,
/// so never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// The text, then zeros.
    bytes: [u8; Self::CHARS_MAX],
}

impl SecretId {
    /// Characters of the shortest.
    pub const CHARS_MIN: usize = 16;
    /// Characters of the longest.
    pub const CHARS_MAX: usize = 40;

    /// Reads one; none when the text is not a SecretId.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_sized = (Self::CHARS_MIN..=Self::CHARS_MAX).contains(&text.len());
        let is_spelled =
            text.starts_with(PREFIX) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_sized || !is_spelled {
            return None;
        }
        let mut bytes = [0; Self::CHARS_MAX];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Some(Self { bytes })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::CHARS_MAX);
        self.bytes.get(..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretId({})", self.as_str())
    }
}

/// A key's secret, sealed; opaque here, and hidden from logs.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(pub Arc<[u8]>);

impl SealedSecret {
    /// Most bytes of one; many times what a sealed secret has.
    pub const BYTES_MAX: usize = 512;
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(…)")
    }
}

/// Whether a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyStatus {
    /// It counts.
    Active,
    /// It is refused, and so are the sessions made with it, until it is active again.
    Inactive,
}

impl KeyStatus {
    /// CAM's word for it: `Active` or `Inactive`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }

    /// The status called `word`, compared exactly.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Inactive].into_iter().find(|status| status.as_str() == word)
    }
}

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub secret_id: SecretId,
    /// Whose it is: the root's uin, or that of a sub-account.
    pub holder: u64,
    /// Whether it counts.
    pub status: KeyStatus,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created_at: UnixMillis,
    /// Its secret half, sealed.
    pub sealed_secret: SealedSecret,
}

/// The global index record of an access key: which account it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretEntry {
    /// The key's public half.
    pub secret_id: SecretId,
    /// The uin of the account.
    pub owner_uin: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_id_is_read_as_written_or_not_at_all() {
        let longest = format!("AKID{}", "z9".repeat(18));
        for text in ["AKID0123456789ab", "AKIDabcdefABCDEF0123456789abcdefghij", &longest] {
            let id = SecretId::parse(text).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(id.as_str(), text);
        }
        let too_long = format!("{longest}x");
        for text in ["", "AKID", "AKID0123456789a", "akid0123456789ab", "AKID0123456789a\0"] {
            assert_eq!(SecretId::parse(text), None);
        }
        for text in ["AKID0123456789a-", "AKID0123456789é", "BKID0123456789ab", &too_long] {
            assert_eq!(SecretId::parse(text), None);
        }
        let (shorter, longer) = ("AKID0123456789ab", "AKID0123456789ab0");
        assert!(SecretId::parse(shorter) < SecretId::parse(longer));
    }

    #[test]
    fn a_sealed_secret_is_not_printed() {
        let shown = format!("{:?}", SealedSecret(Arc::from(*b"secret")));
        assert_eq!(shown, "SealedSecret(…)");
    }
}
