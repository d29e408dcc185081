//! From bytes to a policy's body: the strict check when a document is written, the lenient reading
//! when it is loaded.

use std::sync::Arc;

use crate::lang;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::document::DocumentKind;
use crate::lang::valid::Scope;
use crate::lang::variable::Owner;
use crate::lang::vocabulary::Vocabulary;

use super::error::DirectoryError;
use super::policy::PolicyBody;

/// Checks a document of a kind that is about to be written, with its lints.
///
/// # Errors
/// [`DirectoryError::BadDocument`] with all findings.
pub(super) fn check(
    bytes: &[u8],
    vocabulary: &dyn Vocabulary,
    owner: Option<Owner>,
    kind: DocumentKind,
) -> Result<(PolicyBody, Vec<Diagnostic>), DirectoryError> {
    let scope = Scope { vocabulary, owner, kind };
    let checked = lang::check(bytes, &scope);
    match checked.policy {
        Some(policy) => Ok((PolicyBody::Readable(Arc::new(policy)), checked.findings)),
        None => Err(DirectoryError::BadDocument { findings: checked.findings }),
    }
}

impl PolicyBody {
    /// The body of a stored document. A text that cannot be read is kept as it is (rule D-05).
    #[must_use]
    pub fn load(bytes: &[u8]) -> Self {
        Self::load_as(bytes, DocumentKind::Identity)
    }

    /// The body of a stored trust policy. One that cannot be read trusts nobody.
    #[must_use]
    pub fn load_trust(bytes: &[u8]) -> Self {
        Self::load_as(bytes, DocumentKind::Trust)
    }

    fn load_as(bytes: &[u8], kind: DocumentKind) -> Self {
        match lang::load_as(bytes, kind) {
            Ok(policy) => Self::Readable(Arc::new(policy)),
            Err(findings) => {
                Self::Unreadable { bytes: Arc::from(bytes), findings: Arc::from(findings) }
            }
        }
    }

    /// Why the document cannot be read; none when it can.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Readable(_) => None,
            Self::Unreadable { findings, .. } => Some(match findings.first() {
                Some(finding) => finding.to_string(),
                None => "the stored document cannot be read".to_owned(),
            }),
        }
    }
}
