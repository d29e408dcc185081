//! The canonical form of a policy, and the digest of its meaning (rule L-12).
//!
//! Keys stand in the order version, statement; effect, principal, action, resource, condition.
//! Lists are always written as lists, but for a lone `*`; the prefix `name/` is left out, `*:*` is
//! `*`. The order of statements and entries is the author's. Where that would push a policy over
//! the limit of its length, entries of one are written without brackets, which is never longer than
//! the author's own text. It must never change what a policy means. Side branch of the flow: a
//! `ValidPolicy` in, text out.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::document::{ConditionText, PrincipalText, Scalar, Spanned, StatementText};
use super::hex::hex;
use super::json::significant_chars;
use super::limits::POLICY_CHARS_MAX;
use super::valid::ValidPolicy;

/// The canonical form: indented by two spaces, non-ASCII text readable, a newline at the end.
#[must_use]
pub fn format(policy: &ValidPolicy) -> String {
    let render = |bare| {
        let statements = policy.document().statements();
        // INVARIANT (writing to memory): no writer and no value here can fail.
        let mut text =
            serde_json::to_string_pretty(&PolicyForm { statements, bare }).unwrap_or_default();
        text.push('\n');
        text
    };
    let text = render(false);
    if significant_chars(&text) > POLICY_CHARS_MAX { render(true) } else { text }
}

/// SHA-256 of the canonical form without white space, in hexadecimal: 64 characters. Texts that
/// differ only in layout, in spelling that means the same, or in the wrapper, have the same digest.
#[must_use]
pub fn digest(policy: &ValidPolicy) -> String {
    let form = PolicyForm { statements: policy.document().statements(), bare: false };
    let text = serde_json::to_vec(&form).unwrap_or_default();
    hex(&Sha256::digest(&text))
}

/// A document to be written; `bare` leaves out the brackets around single entries.
struct PolicyForm<'a> {
    statements: &'a [StatementText],
    bare: bool,
}

impl Serialize for PolicyForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bare = self.bare;
        let statements: Vec<StatementForm<'_>> =
            self.statements.iter().map(|statement| StatementForm { statement, bare }).collect();
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("version", "2.0")?;
        map.serialize_entry("statement", &statements)?;
        map.end()
    }
}

struct StatementForm<'a> {
    statement: &'a StatementText,
    bare: bool,
}

impl Serialize for StatementForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { statement, bare } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("effect", statement.effect.value.as_str())?;
        match statement.principal.as_ref().map(|principal| &principal.value) {
            None => {}
            Some(PrincipalText::Anyone) => map.serialize_entry("principal", "*")?,
            Some(PrincipalText::Listed(names)) => {
                map.serialize_entry("principal", &principals(names, bare))?;
            }
        }
        let actions = statement.actions.iter().map(|action| canonical_action(&action.value));
        map.serialize_entry("action", &Texts { entries: actions.collect(), bare })?;
        if !statement.resources.is_empty() {
            let resources = statement.resources.iter().map(|resource| resource.value.as_str());
            map.serialize_entry("resource", &Texts { entries: resources.collect(), bare })?;
        }
        if !statement.conditions.is_empty() {
            map.serialize_entry("condition", &conditions(&statement.conditions, bare))?;
        }
        map.end()
    }
}

fn canonical_action(text: &str) -> &str {
    match text.strip_prefix("name/").unwrap_or(text) {
        "*:*" => "*",
        rest => rest,
    }
}

/// A list of strings; a lone `*` stands without brackets, as the grammar writes it.
struct Texts<'a> {
    entries: Vec<&'a str>,
    bare: bool,
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.entries.as_slice() {
            [only] if self.bare || *only == "*" => serializer.serialize_str(only),
            entries => serializer.collect_seq(entries),
        }
    }
}

/// An object whose members keep their order.
struct Ordered<'a, T>(Vec<(&'a str, T)>);

impl<'a, T> Ordered<'a, T> {
    /// The member with this key, made at the end when it is new.
    fn entry(&mut self, key: &'a str, new: impl FnOnce() -> T) -> Option<&mut T> {
        let at = self.0.iter().position(|(known, _)| *known == key).unwrap_or(self.0.len());
        if at == self.0.len() {
            self.0.push((key, new()));
        }
        self.0.get_mut(at).map(|(_, value)| value)
    }
}

impl<T: Serialize> Serialize for Ordered<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn principals(names: &[(Spanned<String>, Spanned<String>)], bare: bool) -> Ordered<'_, Texts<'_>> {
    let mut kinds = Ordered(Vec::new());
    for (kind, name) in names {
        if let Some(texts) = kinds.entry(&kind.value, || Texts { entries: Vec::new(), bare }) {
            texts.entries.push(name.value.as_str());
        }
    }
    kinds
}

fn conditions(texts: &[ConditionText], bare: bool) -> Ordered<'_, Ordered<'_, Values<'_>>> {
    let mut operators = Ordered(Vec::new());
    for text in texts {
        if let Some(keys) = operators.entry(&text.operator.value, || Ordered(Vec::new())) {
            keys.0.push((text.key.value.as_str(), Values { values: &text.values, bare }));
        }
    }
    operators
}

/// The values of a condition key.
struct Values<'a> {
    values: &'a [Spanned<Scalar>],
    bare: bool,
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.values {
            [only] if self.bare => ScalarForm(&only.value).serialize(serializer),
            values => serializer.collect_seq(values.iter().map(|value| ScalarForm(&value.value))),
        }
    }
}

struct ScalarForm<'a>(&'a Scalar);

impl Serialize for ScalarForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Scalar::String(text) => serializer.serialize_str(text),
            Scalar::Bool(value) => serializer.serialize_bool(*value),
            // A number stays as its author wrote it: no digit may be lost.
            Scalar::Number(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) => raw.serialize(serializer),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::document::DocumentKind;
    use crate::lang::validate::{load, load_as};

    const POLICY: &str = r#"{"strategyInfo":{"statement":[{"resource":"*","condition":{
        "string_equal":{"qcs:部门":"研\u53d1","n":[1.50e1,true]},"ip_equal":{"qcs:ip":["::1"]}},
        "action":["name/im:Describe*","permid/1"],"effect":"deny"},
        {"effect":"allow","action":"name/*:*","resource":["qcs::im:::群/*"]}],"version":"2.0"}}"#;

    const CANONICAL: &str = r#"{
  "version": "2.0",
  "statement": [
    {
      "effect": "deny",
      "action": [
        "im:Describe*",
        "permid/1"
      ],
      "resource": "*",
      "condition": {
        "string_equal": {
          "qcs:部门": [
            "研发"
          ],
          "n": [
            1.50e1,
            true
          ]
        },
        "ip_equal": {
          "qcs:ip": [
            "::1"
          ]
        }
      }
    },
    {
      "effect": "allow",
      "action": "*",
      "resource": [
        "qcs::im:::群/*"
      ]
    }
  ]
}
"#;

    #[test]
    fn format_gives_one_form_and_is_idempotent() {
        // rule L-12
        let policy = load(POLICY.as_bytes()).unwrap();
        assert_eq!(format(&policy), CANONICAL);
        let again = load(CANONICAL.as_bytes()).unwrap();
        assert_eq!(format(&again), CANONICAL);
        assert_eq!(digest(&policy), digest(&again));
        assert_eq!(digest(&policy).len(), 64);
    }

    #[test]
    fn digest_sees_every_change_of_meaning() {
        let digest_of = |text: &str| digest(&load(text.as_bytes()).unwrap());
        let base = digest_of(CANONICAL);
        for (from, to) in [
            ("deny", "allow"),
            ("Describe", "describe"),
            ("研发", "研"),
            ("true", "false"),
            ("::1", "::2"),
        ] {
            assert_ne!(digest_of(&CANONICAL.replace(from, to)), base, "{from}");
        }
    }

    #[test]
    fn trust_policy_keeps_its_principals() {
        // rule L-08
        let text = r#"{"version":"2.0","statement":[{"action":"sts:AssumeRole","effect":"allow",
            "principal":{"service":"a.b","qcs":["qcs::cam::uin/1:root"]}}]}"#;
        let policy = load_as(text.as_bytes(), DocumentKind::Trust).unwrap();
        let formatted = format(&policy);
        let flat: String = formatted.split_whitespace().collect();
        assert!(flat.contains(
            r#""principal":{"service":["a.b"],"qcs":["qcs::cam::uin/1:root"]},"action":["sts:"#
        ));
        let again = load_as(formatted.as_bytes(), DocumentKind::Trust).unwrap();
        assert_eq!(format(&again), formatted);
    }

    #[test]
    fn format_never_pushes_a_policy_over_the_limit() {
        // rule L-10: six brackets would be too many
        let policy = |value: usize| {
            format!(
                r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"im:A","resource":"qcs::::: x","condition":{{"string_equal":{{"k":"{}"}}}}}}]}}"#,
                "值".repeat(value)
            )
        };
        let rest = significant_chars(&policy(0));
        let full = policy(POLICY_CHARS_MAX - rest);
        assert_eq!(significant_chars(&full), POLICY_CHARS_MAX);
        let formatted = format(&load(full.as_bytes()).unwrap());
        assert_eq!(significant_chars(&formatted), POLICY_CHARS_MAX);
        assert_eq!(format(&load(formatted.as_bytes()).unwrap()), formatted);
    }
}
