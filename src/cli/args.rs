//! Arguments that several commands share.

use std::collections::BTreeMap;

use clap::Args;

use super::answer::CliError;
use crate::service::proto;

/// Arguments of every command that changes something.
#[derive(Debug, Clone, Default, Args)]
pub struct WriteArgs {
    /// Changes nothing unless the account's last change is at this revision
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub if_revision: String,
    /// Makes a repeated command answer as the first one did
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub request_id: String,
    /// Checks everything and changes nothing
    #[arg(long)]
    pub validate_only: bool,
}

impl WriteArgs {
    /// The same, as the API takes it.
    #[must_use]
    pub fn options(&self) -> Option<proto::WriteOptions> {
        Some(proto::WriteOptions {
            if_revision: self.if_revision.clone(),
            request_id: self.request_id.clone(),
            validate_only: self.validate_only,
        })
    }
}

/// Splits `KEY=VALUE`.
///
/// # Errors
/// When there is no `=`, or nothing before it.
pub fn key_value(text: &str) -> Result<(&str, &str), CliError> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(CliError::Usage(format!("`{text}` is no `KEY=VALUE`"))),
    }
}

/// Tags, each `KEY=VALUE`.
///
/// # Errors
/// When one has no `=`, or a key stands twice.
pub fn tags(list: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let mut tags = BTreeMap::new();
    for text in list {
        let (key, value) = key_value(text)?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(CliError::Usage(format!("the tag `{key}` is given twice")));
        }
    }
    Ok(tags)
}

/// `at_least` as the API takes it.
#[must_use]
pub fn consistency(at_least: &str) -> Option<proto::Consistency> {
    (!at_least.is_empty()).then(|| proto::Consistency { at_least: at_least.to_owned() })
}
