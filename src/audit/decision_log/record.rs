//! The schema of a line, version 1: what is written is what is read.
//!
//! One description for both ways: texts are borrowed when a decision is written and owned when a
//! line is read. Empty fields are left out. Fields are only ever added within a version; a reader
//! must never take a line of a version that it does not know for one that it does.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::lang::condition::ContextValue;
use crate::lang::number::Number;

/// The version that is written.
pub const SCHEMA_VERSION: u32 = 1;

/// A line without its number and its seal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry<'a> {
    /// A file was begun, or gone on with.
    Opened(OpenedRecord<'a>),
    /// A decision.
    Decision(Box<DecisionRecord<'a>>),
    /// Decisions that are not in the log.
    Dropped(DroppedRecord),
    /// The program ended in order.
    Closed {},
}

/// An [`Entry`] that is written only: the record stays where it is.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum EntryRef<'r, 'a> {
    Decision(&'r DecisionRecord<'a>),
}

/// Who writes from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedRecord<'a> {
    /// The version of this schema.
    pub v: u32,
    /// When.
    pub time: Timestamp,
    /// The seal of the line before, of the file before if this is the first line of one.
    pub previous: Cow<'a, str>,
    /// The id of the running node.
    pub node: Cow<'a, str>,
    /// The program's version.
    pub camgate: Cow<'a, str>,
    /// The digest of the catalog and the presets that the program decides with.
    pub shipped: Cow<'a, str>,
    /// `never_drop` or `best_effort`.
    pub mode: Cow<'a, str>,
    /// Which fields hold [`super::MASKED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<String>,
    /// How many rules leave decisions out.
    #[serde(default)]
    pub leave_out_rules: usize,
}

/// How many decisions were dropped since the line before, because the log could not be written as
/// fast as decisions were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedRecord {
    /// When this was written.
    pub time: Timestamp,
    /// How many.
    pub count: u64,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord<'a> {
    /// The version of this schema.
    pub v: u32,
    /// The server's time that was decided with.
    pub time: Timestamp,
    /// The id that the answer has.
    pub id: Cow<'a, str>,
    /// The protocol and call that asked, e.g. `grpc:Check`.
    pub surface: Cow<'a, str>,
    /// The registered service that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Cow<'a, str>>,
    /// The account that it was decided in; 0 when nobody knows the principal.
    pub owner_uin: u64,
    /// Who wanted something.
    pub principal: PrincipalRecord<'a>,
    /// What they wanted to do: `service:Name`.
    pub action: Cow<'a, str>,
    /// On what: a name, `*`, or nothing for a list.
    pub resource: Cow<'a, str>,
    /// The facts that came with the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "context")]
    pub context: Vec<ContextEntry<'a>>,
    /// In which account the resource's app is registered (rule D-08).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_owner: Option<u64>,
    /// Whether the resource's owner has granted it (rule D-24).
    #[serde(default, skip_serializing_if = "is_false")]
    pub granted_by_owner: bool,
    /// Whether the caller applies filters (rule F-03).
    #[serde(default, skip_serializing_if = "is_false")]
    pub accepts_filter: bool,
    /// `ALLOW` or `DENY`.
    pub outcome: Cow<'a, str>,
    /// Why, e.g. `implicit_deny`.
    pub reason: Cow<'a, str>,
    /// The layer that denied, e.g. `identity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Cow<'a, str>>,
    /// The statements that made it (rule D-11).
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub determining: SmallVec<[DeterminingRecord<'a>; 2]>,
    /// What could not be evaluated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRecord<'a>>,
    /// What a list must be cut down to (rule F-02).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterRecord<'a>>,
    /// The remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Cow<'a, str>>,
    /// The revision that it was made at.
    pub revision: u64,
    /// How old it may have been, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale_ms: u64,
}

/// Who wanted something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrincipalRecord<'a> {
    /// A uin, or the id of a role; [`super::MASKED`] when it is masked.
    pub uin: MaybeMasked,
    /// The session, when it acts through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRecord<'a>>,
}

/// A number, or [`super::MASKED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaybeMasked {
    /// The number.
    Number(u64),
    /// It is masked.
    Masked,
}

/// A session of a temporary credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord<'a> {
    /// How it came to be: `role`, `federation` or `session`.
    pub kind: Cow<'a, str>,
    /// The name that its maker gave it.
    pub name: Cow<'a, str>,
    /// The id of its temporary key.
    pub secret_id: Cow<'a, str>,
    /// Whose permanent key it goes back to.
    pub issuer_uin: u64,
    /// Its policies as text: each must allow (rule D-10).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Cow<'a, str>>,
}

/// A statement that made a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeterminingRecord<'a> {
    /// The layer it acted in.
    pub layer: Cow<'a, str>,
    /// `allow` or `deny`.
    pub effect: Cow<'a, str>,
    /// The policy's id.
    pub policy_id: u64,
    /// The policy's name.
    pub policy: Cow<'a, str>,
    /// The policy's version.
    pub version: u32,
    /// The statement's place, from 0.
    pub statement: usize,
}

/// What could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRecord<'a> {
    /// The layer it occurred in.
    pub layer: Cow<'a, str>,
    /// The policy's id.
    pub policy_id: u64,
    /// The policy's name.
    pub policy: Cow<'a, str>,
    /// The policy's version.
    pub version: u32,
    /// The statement's place; none when the whole policy cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// What is wrong.
    pub message: Cow<'a, str>,
}

/// What a list must be cut down to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterRecord<'a> {
    /// Whether nothing must be left out.
    pub all: bool,
    /// The names of what may be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Cow<'a, str>>,
}

/// One key of the context.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextEntry<'a> {
    /// The canonical key.
    pub key: Cow<'a, str>,
    /// Its values; none when they are masked.
    pub values: Option<Cow<'a, [ContextValue]>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Serialize for MaybeMasked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Masked => serializer.serialize_str(super::MASKED),
        }
    }
}

impl<'de> Deserialize<'de> for MaybeMasked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = MaybeMasked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a uin")
            }

            fn visit_u64<E>(self, number: u64) -> Result<MaybeMasked, E> {
                Ok(MaybeMasked::Number(number))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MaybeMasked, E> {
                match text {
                    super::MASKED => Ok(MaybeMasked::Masked),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A context as an object: each key with the list of its values, or masked.
mod context {
    use super::{
        ContextEntry, ContextValue, Cow, Deserialize, Deserializer, MapAccess, Number, Serialize,
        Serializer, Visitor, fmt,
    };
    use serde::ser::SerializeMap as _;

    use crate::audit::decision_log::MASKED;

    pub(super) fn serialize<S: Serializer>(
        context: &[ContextEntry<'_>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(context.len()))?;
        for ContextEntry { key, values } in context {
            match values {
                Some(values) => map.serialize_entry(key, &Values(values))?,
                None => map.serialize_entry(key, MASKED)?,
            }
        }
        map.end()
    }

    struct Values<'v>(&'v [ContextValue]);

    impl Serialize for Values<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(One))
        }
    }

    struct One<'v>(&'v ContextValue);

    impl Serialize for One<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                ContextValue::Text(text) => serializer.serialize_str(text),
                ContextValue::Bool(value) => serializer.serialize_bool(*value),
                // As text in an object of its own: JSON's readers would round it.
                ContextValue::Number(number) => {
                    let mut map = serializer.serialize_map(Some(1))?;
                    map.serialize_entry("number", &number.to_string())?;
                    map.end()
                }
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        Text(String),
        Bool(bool),
        Number { number: String },
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ReadValues {
        Masked(String),
        Values(Vec<Read>),
    }

    fn value(read: Read) -> Result<ContextValue, String> {
        match read {
            Read::Text(text) => Ok(ContextValue::Text(text)),
            Read::Bool(value) => Ok(ContextValue::Bool(value)),
            Read::Number { number } => Number::parse(&number)
                .map(ContextValue::Number)
                .ok_or_else(|| format!("`{number}` is no number")),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<ContextEntry<'static>>, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<ContextEntry<'static>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of context keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, values)) = map.next_entry::<String, ReadValues>()? {
                    let values = match values {
                        ReadValues::Masked(text) if text == MASKED => None,
                        ReadValues::Masked(text) => {
                            let expected = format!("`{text}` is no list of values");
                            return Err(serde::de::Error::custom(expected));
                        }
                        ReadValues::Values(values) => {
                            let values = values.into_iter().map(value).collect::<Result<_, _>>();
                            Some(Cow::Owned(values.map_err(serde::de::Error::custom)?))
                        }
                    };
                    entries.push(ContextEntry { key: Cow::Owned(key), values });
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
