//! Action names, and the action patterns of statements (rules ).

use std::fmt;

use super::chars::{self, NAME, SERVICE};
use super::limits::ACTION_BYTES_MAX;
use super::pattern::Glob;

/// One action of one service, as requests name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActionName {
    /// `service:Name`.
    text: Box<str>,
    /// Where the colon stands, in bytes.
    colon: usize,
}

/// One action of one service, in a text that somebody else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionRef<'a> {
    /// `service:Name`.
    text: &'a str,
    /// Where the colon stands, in bytes.
    colon: usize,
}

/// Why a text is no action name or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionFault {
    /// Longer than [`ACTION_BYTES_MAX`].
    #[error("is {actual} bytes long, over the limit of {limit}")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
        /// The length, in bytes.
        actual: usize,
    },
    /// No `service:Name` in it.
    #[error("has no `service:Name`")]
    NoColon,
    /// A prefix before `/` that is neither `name` nor `permid`.
    #[error("has the unknown prefix `{0}/`")]
    UnknownPrefix(String),
    /// A service part that is neither a lower-case abbreviation nor `*`.
    #[error("has the service part `{0}`, which is no service abbreviation")]
    BadService(String),
    /// A name part with a character that no action name contains, or none at all.
    #[error("has the name part `{0}`, which is no action name")]
    BadName(String),
    /// `permid/` not followed by a number.
    #[error("has the action set number `{0}`, which is no number")]
    BadSet(String),
    /// A star where one action is meant.
    #[error("has a star, but one action is meant")]
    Star,
}

impl<'a> ActionRef<'a> {
    /// Reads `service:Name` or `name/service:Name`; allocates nothing.
    ///
    /// # Errors
    /// What is wrong with the text; a star is refused.
    pub fn parse(text: &'a str) -> Result<Self, ActionFault> {
        read(text).ok_or_else(|| fault_of(text))
    }

    /// The name in a text that equals one that was read before.
    #[inline]
    pub(crate) fn of_checked(text: &'a str, colon: usize) -> Self {
        Self { text, colon }
    }

    /// `service:Name`.
    #[inline]
    #[must_use]
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The service's abbreviation.
    #[must_use]
    pub fn service(self) -> &'a str {
        self.text.get(..self.colon).unwrap_or_default()
    }

    /// The action's name within its service.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.text.get(self.colon + 1..).unwrap_or_default()
    }
}

/// An action name without the `name/` that may stand before it.
#[inline]
pub(crate) fn without_prefix(text: &str) -> &str {
    text.strip_prefix("name/").unwrap_or(text)
}

/// An action name; none when it is none.
#[inline]
fn read(text: &str) -> Option<ActionRef<'_>> {
    if text.len() > ACTION_BYTES_MAX {
        return None;
    }
    let text = without_prefix(text);
    let colon = chars::end(text.as_bytes(), 0, SERVICE);
    let (service, rest) = text.as_bytes().split_at_checked(colon)?;
    let name = rest.strip_prefix(b":")?;
    let is_action = !service.is_empty() && !name.is_empty() && chars::all(name, NAME);
    is_action.then_some(ActionRef { text, colon })
}

impl fmt::Display for ActionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// What is wrong with a text that is no action name.
#[cold]
fn fault_of(text: &str) -> ActionFault {
    match ActionPattern::parse(text).map(|pattern| pattern.form) {
        Err(fault) => fault,
        Ok(ActionForm::Any | ActionForm::Named { .. }) => ActionFault::Star,
        Ok(ActionForm::Set(_)) => ActionFault::UnknownPrefix("permid".to_owned()),
    }
}

impl ActionName {
    /// Reads `service:Name` or `name/service:Name`.
    ///
    /// # Errors
    /// As [`ActionRef::parse`].
    pub fn parse(text: &str) -> Result<Self, ActionFault> {
        let ActionRef { text, colon } = ActionRef::parse(text)?;
        Ok(Self { text: text.into(), colon })
    }

    /// The name, borrowed.
    #[must_use]
    pub fn by_ref(&self) -> ActionRef<'_> {
        ActionRef { text: &self.text, colon: self.colon }
    }

    /// The service's abbreviation.
    #[must_use]
    pub fn service(&self) -> &str {
        self.by_ref().service()
    }

    /// The action's name within its service.
    #[must_use]
    pub fn name(&self) -> &str {
        self.by_ref().name()
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a statement's action matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ActionForm {
    /// Every action of every service.
    Any,
    /// Actions by name.
    Named {
        /// The service; none means every service.
        service: Option<Box<str>>,
        /// The pattern of the name.
        name: Glob,
    },
    /// A predefined set, `permid/<number>`; the catalogs say what is in it.
    Set(u64),
}

/// One entry of a statement's action list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActionPattern {
    text: Box<str>,
    form: ActionForm,
}

impl ActionPattern {
    /// Reads `*`, `name/service:Name`, `service:Name` or `permid/number`, stars allowed in the
    /// name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ActionFault> {
        if text.len() > ACTION_BYTES_MAX {
            return Err(ActionFault::TooLong { limit: ACTION_BYTES_MAX, actual: text.len() });
        }
        Ok(Self { text: text.into(), form: parse_form(text)? })
    }

    /// The entry as its author wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it matches.
    #[must_use]
    pub fn form(&self) -> &ActionForm {
        &self.form
    }

    /// Whether it matches the action. A set matches nothing here: only the compiler, which has the
    /// catalogs, knows its members (rule A-08).
    #[must_use]
    pub fn matches(&self, service: &str, name: &str) -> bool {
        match &self.form {
            ActionForm::Any => true,
            ActionForm::Named { service: own, name: pattern } => {
                own.as_deref().is_none_or(|own| own == service) && pattern.matches(name)
            }
            ActionForm::Set(_) => false,
        }
    }

    /// Whether it matches every action that `other` matches. Sound, not complete.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.form, &other.form) {
            (ActionForm::Any, _) => true,
            (ActionForm::Set(own), ActionForm::Set(others)) => own == others,
            (
                ActionForm::Named { service, name },
                ActionForm::Named { service: other_service, name: other_name },
            ) => (service.is_none() || service == other_service) && name.covers(other_name),
            (ActionForm::Named { service: None, name }, ActionForm::Any) => name.is_any(),
            (ActionForm::Named { .. } | ActionForm::Set(_), _) => false,
        }
    }
}

fn parse_form(text: &str) -> Result<ActionForm, ActionFault> {
    if text == "*" {
        return Ok(ActionForm::Any);
    }
    let text = match text.split_once('/') {
        Some(("permid", number)) => {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            return match number.parse() {
                Ok(number) if digits => Ok(ActionForm::Set(number)),
                _ => Err(ActionFault::BadSet(number.to_owned())),
            };
        }
        Some(("name", rest)) => rest,
        Some((prefix, _)) if !prefix.contains(':') => {
            return Err(ActionFault::UnknownPrefix(prefix.to_owned()));
        }
        _ => text,
    };
    let (service, name) = text.split_once(':').ok_or(ActionFault::NoColon)?;
    let service = match service {
        "*" => None,
        _ if is_service(service) => Some(service.into()),
        _ => return Err(ActionFault::BadService(service.to_owned())),
    };
    if name.is_empty() || !name.bytes().all(is_name_byte) {
        return Err(ActionFault::BadName(name.to_owned()));
    }
    let name = Glob::new(name);
    if service.is_none() && name.is_any() {
        return Ok(ActionForm::Any);
    }
    Ok(ActionForm::Named { service, name })
}

/// Whether a text is a service's abbreviation: lower-case letters, digits, `-` and `_` (rule A-06).
#[must_use]
pub fn is_service(text: &str) -> bool {
    !text.is_empty() && chars::all(text.as_bytes(), SERVICE)
}

/// What names are made of, and the one wildcard (rule A-04).
fn is_name_byte(byte: u8) -> bool {
    byte == b'*' || chars::is(byte, NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_forms_match_as_written() {
        let table = [
            ("*", "im", "X", true),
            ("name/*:*", "im", "X", true),  // rule A-01
            ("name/im:*", "im", "X", true), // rule A-02
            ("im:*", "trtc", "X", false),   // rule A-02
            ("name/im:*Group*", "im", "SendGroupMsg", true), // rule A-03
            ("im:Describe", "im", "DescribeConfInfo", false), // rule A-03
            ("im:describe*", "im", "DescribeConfInfo", false), // rule A-05
            ("*:Describe*", "cvm", "DescribeX", true), // rule A-06
            ("permid/280649", "im", "X", false), // rule A-08
        ];
        for (pattern, service, name, expected) in table {
            let pattern = ActionPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(service, name), expected, "{} {name}", pattern.text());
        }
    }

    #[test]
    fn action_refuses_what_no_api_is_called() {
        // rules
        for text in [
            "",
            "im",
            "actionName/im:X",
            "IM:X",
            "i*:X",
            "im:",
            "im:De?",
            "im:a b",
            "permid/",
            "permid/x",
            "permid/+1",
            ":X",
            "im:X:Y",
            "im:群组",
            "name/name/im:X",
        ] {
            assert!(ActionPattern::parse(text).is_err(), "{text}");
        }
        assert_eq!(ActionName::parse("im:De*"), Err(ActionFault::Star));
        assert_eq!(ActionName::parse("name/im:X").unwrap().to_string(), "im:X");
    }
}
