//! From bytes to a document of the right shape (rules L-01 to L-11).
//!
//! Every fault of shape is found, never only the first: a statement with a fault still lets the
//! others, and its own other parts, be checked. Texts inside stay texts; `validate` reads them. It
//! must never accept a key it does not know, nor a key twice.

mod condition;
mod members;
mod principal;
mod statement;

use super::diagnostic::{Diagnostic, ErrorCode, Span};
use super::document::{
    ConditionText, DocumentKind, Effect, PolicyDocument, PrincipalText, Spanned, StatementText,
};
use super::findings::{Finding, Findings, nearest};
use super::json::{self, Member, Node, Value};
use super::limits::POLICY_CHARS_MAX;
use members::Fields;

/// The key of the wrapper that some CAM replies put around a document (rule L-09).
const WRAPPER: &str = "strategyInfo";

/// What reading a text gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The document; none when there is an error.
    pub document: Option<PolicyDocument>,
    /// The findings, in document order.
    pub findings: Vec<Diagnostic>,
}

/// Reads a text as a policy document and checks its shape, but none of the texts in it.
#[must_use]
pub fn parse(bytes: &[u8], kind: DocumentKind) -> Parsed {
    let mut findings = Findings::default();
    let draft = draft(bytes, kind, &mut findings);
    let document = if findings.has_errors() { None } else { draft.document(kind) };
    let (findings, _) = findings.finish(bytes, draft.root.as_ref());
    Parsed { document, findings }
}

/// What could be read of a text, perhaps with parts missing.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The bare document, for looking up paths; none when the text is not JSON.
    pub(super) root: Option<Node>,
    /// The bare document's text.
    source: String,
    /// Whether it is longer than any policy may be, so that remarks on it are not worth their time.
    pub(super) too_long: bool,
    /// The statements that are objects.
    pub(super) statements: Vec<StatementDraft>,
}

/// What could be read of a statement.
#[derive(Debug, Default)]
pub(super) struct StatementDraft {
    pub(super) span: Span,
    /// Its place in the list, from 0, things that are no statements counted.
    pub(super) index: usize,
    /// Whether its shape has no fault.
    pub(super) whole: bool,
    pub(super) effect: Option<Spanned<Effect>>,
    pub(super) actions: Vec<Spanned<String>>,
    pub(super) resources: Vec<Spanned<String>>,
    pub(super) conditions: Vec<ConditionText>,
    pub(super) principal: Option<Spanned<PrincipalText>>,
}

impl Draft {
    /// The document, when every statement has its effect. Only for a draft without errors.
    pub(super) fn document(&self, kind: DocumentKind) -> Option<PolicyDocument> {
        let statements = self.statements.iter().map(StatementDraft::text).collect::<Option<_>>()?;
        Some(PolicyDocument { source: self.source.clone(), kind, statements })
    }
}

impl StatementDraft {
    fn text(&self) -> Option<StatementText> {
        Some(StatementText {
            span: self.span,
            effect: self.effect.clone()?,
            actions: self.actions.clone(),
            resources: self.resources.clone(),
            conditions: self.conditions.clone(),
            principal: self.principal.clone(),
        })
    }
}

/// Reads what can be read of a text and notes all faults of shape.
pub(super) fn draft(bytes: &[u8], kind: DocumentKind, findings: &mut Findings) -> Draft {
    let (text, outer) = match json::read(bytes) {
        Ok(read) => read,
        Err(faults) => {
            faults.into_iter().for_each(|fault| findings.push(fault));
            return Draft::default();
        }
    };
    let whole = outer.span;
    let root = unwrap(outer, findings);
    // rule L-12: white space around a bare document is its author's too
    let bare =
        if root.span == whole { Some(text) } else { text.get(root.span.start..root.span.end) };
    let source = bare.unwrap_or_default().to_owned();
    let too_long = check_length(&source, root.span, findings);
    let statements = match &root.value {
        Value::Object(members) => document(members, root.span, kind, findings),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            findings.push(
                wrong_type(ErrorCode::PolicyDocumentError, "the policy", &root)
                    .expected("an object with `version` and `statement`"),
            );
            Vec::new()
        }
    };
    Draft { root: Some(root), source, too_long, statements }
}

/// Takes the document out of its wrapper, if it has one (rule L-09).
fn unwrap(outer: Node, findings: &mut Findings) -> Node {
    let Value::Object(members) = &outer.value else { return outer };
    let Some(at) = members.iter().position(|member| member.key.value == WRAPPER) else {
        return outer;
    };
    for (index, member) in members.iter().enumerate() {
        if index != at {
            let message = format!("`{WRAPPER}` is not the only key beside the document");
            findings.push(
                Finding::error(ErrorCode::PolicyDocumentError, member.key.span, message)
                    .found(&member.key.value)
                    .help("put `version` and `statement` inside, and nothing beside it"),
            );
        }
    }
    let inner = members.get(at).map(|member| member.node.clone());
    inner.unwrap_or(outer)
}

/// Rule L-10; whether the policy is too long.
fn check_length(source: &str, span: Span, findings: &mut Findings) -> bool {
    let actual = json::significant_chars(source);
    if actual > POLICY_CHARS_MAX {
        let message = format!(
            "the policy has {actual} characters, white space between tokens not counted; the \
             limit is {POLICY_CHARS_MAX}"
        );
        findings.push(
            Finding::error(ErrorCode::PolicyDocumentLengthOverLimit, span, message)
                .found(&format!("{actual} characters"))
                .expected(format!("at most {POLICY_CHARS_MAX} characters"))
                .help("split the policy into several, or use `*` in names"),
        );
    }
    actual > POLICY_CHARS_MAX
}

fn document(
    members: &[Member],
    span: Span,
    kind: DocumentKind,
    findings: &mut Findings,
) -> Vec<StatementDraft> {
    let place = ("the policy", ErrorCode::StatementError);
    let fields = Fields::read(members, &["version", "statement"], place, findings);
    match fields.get("version") {
        Some(member) => version(&member.node, findings),
        None => findings.push(
            missing(ErrorCode::VersionError, span, "the policy", "version")
                .help("add `\"version\": \"2.0\"`"),
        ),
    }
    let Some(member) = fields.get("statement") else {
        findings.push(missing(ErrorCode::StatementError, span, "the policy", "statement"));
        return Vec::new();
    };
    let Value::Array(items) = &member.node.value else {
        let finding = wrong_type(ErrorCode::StatementError, "`statement`", &member.node);
        findings.push(
            finding.expected("a list of statements").help("put brackets around the statement"),
        );
        return Vec::new();
    };
    // rule L-05
    if items.is_empty() {
        findings.push(empty_list(ErrorCode::StatementError, "statement", &member.node));
    }
    let items = items.iter().enumerate();
    items.filter_map(|(index, item)| statement::read(index, item, kind, findings)).collect()
}

/// Rule L-04.
fn version(node: &Node, findings: &mut Findings) {
    let help = match &node.value {
        Value::String(text) if text == "2.0" => return,
        Value::Number(_) => "the version is a string: write `\"2.0\"`",
        Value::String(text) if text == "3.0" => {
            "what `3.0` means is not published; write `\"2.0\"`"
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            "write `\"2.0\"`"
        }
    };
    let found = shown(node);
    let message = not_one_of("version", "policy version", node);
    findings.push(
        Finding::error(ErrorCode::VersionError, node.span, message)
            .found(&found)
            .expected("`\"2.0\"`")
            .help(help),
    );
}

/// The message about a value that is none of a few known strings.
fn not_one_of(key: &str, what: &str, node: &Node) -> String {
    match &node.value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            format!("unknown {what} `{}`", shown(node))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => format!("`{key}` is {}", node.kind()),
    }
}

/// A list of strings, or one string without brackets (rule L-07).
fn texts(
    name: &str,
    node: &Node,
    (empty, wrong): (ErrorCode, ErrorCode),
    findings: &mut Findings,
) -> Vec<Spanned<String>> {
    let mut out = Vec::new();
    let items = match &node.value {
        Value::Array(items) if items.is_empty() => {
            findings.push(empty_list(empty, name, node));
            return out;
        }
        Value::Array(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(node)
        }
    };
    for item in items {
        match &item.value {
            Value::String(text) => {
                out.push(Spanned { value: text.clone(), span: item.span });
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => {
                let finding = wrong_type(wrong, &format!("`{name}`"), item);
                findings.push(finding.expected("a string or a list of strings"));
            }
        }
    }
    out
}

fn missing(code: ErrorCode, span: Span, place: &str, key: &str) -> Finding {
    Finding::error(code, span, format!("{place} has no `{key}`")).help(format!("add `{key}`"))
}

fn empty_list(code: ErrorCode, name: &str, node: &Node) -> Finding {
    Finding::error(code, node.span, format!("`{name}` is an empty list"))
        .found("[]")
        .expected("one or more entries")
}

fn wrong_type(code: ErrorCode, name: &str, node: &Node) -> Finding {
    Finding::error(code, node.span, format!("{name} is {}", node.kind())).found(&shown(node))
}

/// A value for a finding: scalars as they are, the rest by kind.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Bool(value) => value.to_string(),
        Value::Number(text) | Value::String(text) => super::findings::excerpt(text),
        Value::Null | Value::Array(_) | Value::Object(_) => node.kind().to_owned(),
    }
}

/// `did you mean …?`, when a candidate is near.
fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    findings: &Findings,
) -> Option<String> {
    if findings.is_full() {
        return None;
    }
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests;
