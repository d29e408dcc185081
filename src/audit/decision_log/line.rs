//! One line: its number, what it says, and the seal that ties it to the line before.
//!
//! A seal is the SHA-256 of the seal before and of all bytes of the line in front of its own seal;
//! so no line can be altered, taken out or moved without the next one noticing. It proves the order
//! and the content; who can write every later line anew can still invent a log.

use std::fmt;
use std::io::Write as _;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::record::{Entry, SCHEMA_VERSION};
use crate::lang::hex::hex;

/// What stands between a line's content and its seal.
const BEFORE_SEAL: &str = ",\"seal\":\"";
/// What ends a line.
const AFTER_SEAL: &str = "\"}";
/// The digits of a seal.
const SEAL_DIGITS: usize = 64;

/// The digest that ends a line, and that the next one goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seal([u8; 32]);

impl Seal {
    /// Reads 64 hexadecimal digits; none for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
            .collect::<Option<_>>()?;
        let mut bytes = Vec::with_capacity(32);
        for pair in digits.chunks(2) {
            let [high, low] = pair else { return None };
            bytes.push((high << 4) | low);
        }
        bytes.try_into().ok().map(Self)
    }

    /// The seal of a line whose bytes in front of its seal are these.
    fn after(self, content: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(content).finalize().into())
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It ends in the middle.
    #[error("the record is incomplete: the file ends in the middle of it, after {bytes} bytes")]
    Incomplete {
        /// How many bytes there are.
        bytes: usize,
    },
    /// It is no record.
    #[error("the line is no record of a decision log: {problem}")]
    Unreadable {
        /// Why.
        problem: String,
    },
    /// It is of a version that this program does not know.
    #[error("the record has schema version {found}; this program reads up to {SCHEMA_VERSION}")]
    Version {
        /// The version.
        found: u32,
    },
    /// Another record stands where one is expected.
    #[error("record {expected} is missing: {found} stands in its place")]
    OutOfPlace {
        /// The number expected.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The seal does not follow.
    #[error("record {number} was altered, or what stood before it was: its seal does not follow")]
    Altered {
        /// Its number.
        number: u64,
    },
}

/// Where a chain has got to: the last line's number and seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reached {
    pub(super) number: u64,
    pub(super) seal: Seal,
}

impl Reached {
    /// Writes the next line: `body` is an object of JSON.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, body: &[u8]) {
        self.number = self.number.saturating_add(1);
        let start = out.len();
        let members = body.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
        out.extend_from_slice(format!("{{\"n\":{},", self.number).as_bytes());
        out.extend_from_slice(members.unwrap_or_default());
        self.seal = self.seal.after(out.get(start..).unwrap_or_default());
        // Writing into memory does not fail.
        let _ = writeln!(out, "{BEFORE_SEAL}{}{AFTER_SEAL}", self.seal);
    }
}

/// A line, read and not yet held against the one before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) reached: Reached,
    pub(super) entry: Entry<'static>,
    /// What the seal is made of, beside the seal before.
    content: Vec<u8>,
}

#[derive(Deserialize)]
struct Head {
    n: u64,
    v: Option<u32>,
}

impl Line {
    /// Reads a line without its line break.
    ///
    /// # Errors
    /// What is wrong with it by itself.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, LineFault> {
        let unreadable = |problem: &str| LineFault::Unreadable { problem: problem.to_owned() };
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is no UTF-8"))?;
        let head: Head =
            serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        if let Some(found) = head.v.filter(|version| *version > SCHEMA_VERSION) {
            return Err(LineFault::Version { found });
        }
        let no_seal = || unreadable("it does not end with its seal");
        let rest = text.strip_suffix(AFTER_SEAL).ok_or_else(no_seal)?;
        let (content, seal) = rest
            .len()
            .checked_sub(SEAL_DIGITS)
            .and_then(|at| rest.split_at_checked(at))
            .ok_or_else(no_seal)?;
        let content = content.strip_suffix(BEFORE_SEAL).ok_or_else(no_seal)?;
        let seal = Seal::parse(seal).ok_or_else(no_seal)?;
        let entry = serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        Ok(Self {
            reached: Reached { number: head.n, seal },
            entry,
            content: content.as_bytes().to_vec(),
        })
    }

    /// That it follows the line before.
    ///
    /// # Errors
    /// [`LineFault::OutOfPlace`] or [`LineFault::Altered`].
    pub(super) fn check(&self, before: &Reached) -> Result<(), LineFault> {
        let expected = before.number.saturating_add(1);
        let Reached { number, seal } = self.reached;
        if number != expected {
            return Err(LineFault::OutOfPlace { expected, found: number });
        }
        if before.seal.after(&self.content) != seal {
            return Err(LineFault::Altered { number });
        }
        Ok(())
    }

    /// What the line itself says it follows: only the first line of a file does.
    pub(super) fn says_before(&self) -> Option<Reached> {
        match &self.entry {
            Entry::Opened(opened) => {
                let number = self.reached.number.saturating_sub(1);
                Some(Reached { number, seal: Seal::parse(&opened.previous)? })
            }
            Entry::Decision(_) | Entry::Dropped(_) | Entry::Closed {} => None,
        }
    }
}
