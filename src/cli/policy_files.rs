//! `policy lint`, `fmt`, `schema` and `diff`: commands about policy files, without a server.
//!
//! Reads files and prints findings; every judgement is made by `lang` and `analysis`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::answer::{Answer, CliError, ExitStatus};
use super::files::{load_catalog, read_all, replace_file};
use super::report;
use crate::lang;
use crate::lang::diagnostic::Severity;
use crate::lang::document::DocumentKind;
use crate::lang::valid::Scope;
use crate::lang::validate::Checked;
use crate::lang::variable::Owner;

/// What the files are checked against.
#[derive(Debug, Args)]
pub struct ScopeArgs {
    /// A catalog file of a service of your own; may be given several times
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// The APPID of the account given by `--account`; with both, foreign resources are found
    #[arg(long, value_name = "N")]
    pub app_id: Option<u64>,
}

impl ScopeArgs {
    fn owner(&self, account: u64) -> Result<Option<Owner>, CliError> {
        match (account, self.app_id) {
            (0, Some(_)) => Err(CliError::Usage("`--app-id` needs `--account UIN`".to_owned())),
            (_, None) => Ok(None),
            (uin, Some(app_id)) => Ok(Some(Owner { uin, app_id })),
        }
    }
}

/// Checks policy files and shows what is wrong, with the place underlined
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate policy lint 'policies/**/*.json'\n\n\
    Exit status: 0 nothing but notes, 1 errors or warnings, 3 a file cannot be read.")]
pub struct Lint {
    /// Files, or path patterns in quotes; `-` reads the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub scope: ScopeArgs,
}

/// Rewrites policy files in their canonical form: same meaning, one spelling
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate policy fmt --check 'policies/*.json'")]
pub struct Fmt {
    /// Files, or path patterns in quotes; `-` reads the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Changes nothing; exit status 1 when a file is not canonical
    #[arg(long, conflicts_with = "write")]
    pub check: bool,
    /// Writes the files in place instead of printing them
    #[arg(long)]
    pub write: bool,
}

impl Lint {
    /// Checks every file; exit status 1 when there is an error or a warning.
    ///
    /// # Errors
    /// When a file or a catalog cannot be read.
    pub fn run(&self, account: u64) -> Result<Answer, CliError> {
        let catalog = load_catalog(&self.scope.catalog)?;
        let owner = self.scope.owner(account)?;
        let scope = Scope { vocabulary: &catalog, owner, kind: DocumentKind::Identity };
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        let (mut errors, mut warnings, mut notes) = (0_usize, 0_usize, 0_usize);
        let sources = read_all(&self.files)?;
        for source in &sources {
            let checked = lang::check(&source.bytes, &scope);
            for finding in &checked.findings {
                match finding.severity {
                    Severity::Error => errors += 1,
                    Severity::Warning => warnings += 1,
                    Severity::Note => notes += 1,
                }
                texts.push(report::render(&source.name, &source.bytes, finding));
            }
            if checked.omitted > 0 {
                texts.push(format!("{}: {} more\n", source.name, checked.omitted));
            }
            files.push(file_json(&source.name, &checked));
        }
        texts.push(format!(
            "{} checked: {}, {}, {}",
            counted(sources.len(), "file"),
            counted(errors, "error"),
            counted(warnings, "warning"),
            counted(notes, "note"),
        ));
        let json =
            json!({ "files": files, "errors": errors, "warnings": warnings, "notes": notes });
        let status = if errors + warnings > 0 { ExitStatus::Denied } else { ExitStatus::Fine };
        Ok(Answer::new(json, texts.join("\n")).with_status(status))
    }
}

fn file_json(name: &str, checked: &Checked) -> Value {
    let findings: Vec<_> = checked.findings.iter().map(report::finding_json).collect();
    json!({
        "file": name,
        "valid": checked.policy.is_some(),
        "findings": findings,
        "omitted": checked.omitted,
    })
}

impl Fmt {
    /// Prints, checks or writes the canonical form of every file.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn run(&self) -> Result<Answer, CliError> {
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        let mut status = ExitStatus::Fine;
        for source in read_all(&self.files)? {
            let canonical = match lang::load(&source.bytes) {
                Ok(policy) => lang::format(&policy),
                Err(findings) => {
                    status = ExitStatus::Denied;
                    for finding in &findings {
                        texts.push(report::render(&source.name, &source.bytes, finding));
                    }
                    let findings: Vec<_> = findings.iter().map(report::finding_json).collect();
                    files.push(json!({ "file": source.name, "findings": findings }));
                    continue;
                }
            };
            let same = canonical.as_bytes() == source.bytes;
            let mut file = json!({ "file": source.name, "canonical": same });
            if self.check {
                if !same {
                    status = ExitStatus::Denied;
                    texts.push(format!("`{}` is not canonical", source.name));
                }
            } else if let (true, Some(path)) = (self.write, &source.path) {
                if !same {
                    replace_file(path, canonical.as_bytes())?;
                    texts.push(format!("rewrote `{}`", source.name));
                }
            } else {
                texts.push(canonical.trim_end().to_owned());
                if let Some(fields) = file.as_object_mut() {
                    fields.insert("document".into(), canonical.into());
                }
            }
            files.push(file);
        }
        Ok(Answer::new(json!({ "files": files }), texts.join("\n")).with_status(status))
    }
}

/// Prints the JSON Schema of policy documents, for editors.
///
/// # Errors
/// Never; the signature is that of the other commands.
pub fn schema() -> Result<Answer, CliError> {
    let json = lang::schema::schema(DocumentKind::Identity);
    let text = format!("{json:#}");
    Ok(Answer::new(json, text))
}

/// `1 file`, `2 files`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
