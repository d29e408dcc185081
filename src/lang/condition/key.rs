//! Condition keys and their aliases (spec 3.5, rules C-17 to C-19).

/// The key of resource tags, each value `key&value`.
pub const RESOURCE_TAG: &str = "qcs:resource_tag";
/// The key of MFA state; `mfa` is its other name.
pub const MFA: &str = "qcs:mfa";

/// A condition key, as written and as looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConditionKey {
    text: Box<str>,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Plain,
    Mfa,
    ResourceTag,
    /// `qcs:tag/NAME`: the values of one tag.
    OneTag(Box<str>),
}

impl ConditionKey {
    /// Reads a key; every text is one, aliases are known.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let form = match text {
            "mfa" | MFA => Form::Mfa,
            "qcs:tag" | RESOURCE_TAG => Form::ResourceTag,
            _ => match text.strip_prefix("qcs:tag/") {
                Some(name) if !name.is_empty() => Form::OneTag(name.into()),
                _ => Form::Plain,
            },
        };
        Self { text: text.into(), form }
    }

    /// The key as its author wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The key under which the context holds its values.
    #[must_use]
    pub fn canonical(&self) -> &str {
        match &self.form {
            Form::Plain => &self.text,
            Form::Mfa => MFA,
            Form::ResourceTag | Form::OneTag(_) => RESOURCE_TAG,
        }
    }

    /// The one tag meant by `qcs:tag/NAME` (rule C-19).
    #[must_use]
    pub fn tag_name(&self) -> Option<&str> {
        match &self.form {
            Form::OneTag(name) => Some(name),
            Form::Plain | Form::Mfa | Form::ResourceTag => None,
        }
    }

    /// Whether it is the MFA state, which is compared as a number (rule C-18).
    #[must_use]
    pub fn is_mfa(&self) -> bool {
        self.form == Form::Mfa
    }
}
