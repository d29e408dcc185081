//! Case files: what is expected of a policy set, as data.
//!
//! ```json
//! {"cases": [{"name": "…", "principals": ["alice", "root", 100000000012],
//!             "actions": ["im:DescribeConfInfo"], "resources": ["*"],
//!             "context": {"qcs:ip": "1.2.3.4"}, "at": "2026-01-01T00:00:00Z",
//!             "expect": {"outcome": "deny", "reason": "explicit_deny"}}]}
//! ```
//!
//! Reading is strict and tells every fault at once, with its JSON path. A request that must be
//! refused may hold anything; any other must be well formed. Nothing is decided here.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::expect::{Expectation, ExpectedAnswer};
use super::json::{Kind, Node, Reader};
use crate::engine::{Layer, Outcome, Resource};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextFault, ContextValue};
use crate::lang::number::Number;
use crate::lang::valid::ValidPolicy;

/// Largest case file, in bytes: a few thousand cases; a set that large is better split.
pub const CASE_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most requests of one case, the product of its lists, so that a slip cannot ask for millions.
pub const CASE_REQUESTS_MAX: usize = 10_000;
/// The time of a case that names none.
pub const CASE_TIME: &str = "2026-01-01T00:00:00Z";

/// What is wrong with a case file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CaseFault {
    /// The file's name.
    pub file: String,
    /// The JSON path, e.g. `cases[0].expect.reason`; empty for the whole file.
    pub path: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for CaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, path, message } = self;
        if path.is_empty() {
            write!(f, "{file}: {message}")
        } else {
            write!(f, "{file}: {path}: {message}")
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalRef {
    /// `"root"`: the account's root.
    Root,
    /// A sub-account's name.
    Name(String),
    /// A uin, of anybody or nobody.
    Uin(u64),
}

impl fmt::Display for PrincipalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Name(name) => f.write_str(name),
            Self::Uin(uin) => uin.fmt(f),
        }
    }
}

/// One case: principals × actions × resources under one context, and what is expected of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Who asks; one or more.
    pub principals: Vec<PrincipalRef>,
    /// The actions as written; one or more.
    pub actions: Vec<String>,
    /// The resources as written; one or more, the empty text for none (rule F-01).
    pub resources: Vec<String>,
    /// The context's keys as written, with their values.
    pub context: Vec<(String, Vec<ContextValue>)>,
    /// The server's time.
    pub at: Timestamp,
    /// Whether the caller applies filters (rule F-03). When the file does not say, it does where
    /// a filter is expected, and nowhere else.
    pub accepts_filter: bool,
    /// The policies of the session (rule D-10).
    pub session: Vec<Arc<ValidPolicy>>,
    /// The rules that it is evidence for.
    pub rules: Vec<String>,
    /// What is expected.
    pub expect: Expectation,
}

impl Case {
    /// The context as the engine takes it.
    ///
    /// # Errors
    /// A key or value that no request may have.
    pub fn context(&self) -> Result<Context, ContextFault> {
        let mut context = Context::new();
        for (key, values) in &self.context {
            context.insert(key, values.clone())?;
        }
        Ok(context)
    }
}

/// The cases of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// The file's name, for reports.
    pub name: String,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

impl CaseFile {
    /// Reads a case file.
    ///
    /// # Errors
    /// Every fault, in the order of the file.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<CaseFault>> {
        let mut reader = Reader::new(name);
        let mut cases = Vec::new();
        if bytes.len() > CASE_FILE_BYTES_MAX {
            let actual = bytes.len();
            reader.fault(
                "",
                format!(
                    "the file has {actual} bytes, over the limit of {CASE_FILE_BYTES_MAX}; split it"
                ),
            );
        } else if let Some(root) = reader.root(bytes)
            && let Some(members) = reader.object(&root, Some(&["cases"]))
        {
            if members.is_empty() {
                reader.fault("", "the file has no `cases`");
            }
            let nodes = reader.list(find(&members, "cases"));
            cases = nodes.iter().filter_map(|node| case(&mut reader, node)).collect();
        }
        if reader.faults.is_empty() {
            Ok(Self { name: name.to_owned(), cases })
        } else {
            Err(reader.faults)
        }
    }
}

type Members<'a> = [(String, Node<'a>)];

fn find<'m, 'a>(members: &'m Members<'a>, key: &str) -> Option<&'m Node<'a>> {
    members.iter().find(|(name, _)| name == key).map(|(_, node)| node)
}

const CASE_KEYS: &[&str] = &[
    "name",
    "principals",
    "actions",
    "resources",
    "context",
    "at",
    "accepts_filter",
    "session",
    "rules",
    "expect",
];

fn case(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Case> {
    let before = reader.faults.len();
    let members = reader.object(node, Some(CASE_KEYS))?;
    for key in ["name", "principals", "actions", "expect"] {
        if find(&members, key).is_none() {
            reader.fault(&node.path, format!("the case has no `{key}`"));
        }
    }
    let name = find(&members, "name").and_then(|node| reader.text(node));
    let expect = find(&members, "expect").and_then(|node| expectation(reader, node));
    let principals = reader.list(find(&members, "principals"));
    let principals: Vec<_> = principals.iter().filter_map(|it| principal(reader, it)).collect();
    let actions = texts(reader, &members, "actions");
    let resources = texts(reader, &members, "resources");
    let context = find(&members, "context").map(|node| context(reader, node));
    let at = find(&members, "at").map_or_else(|| CASE_TIME.parse().ok(), |it| time(reader, it));
    let accepts = find(&members, "accepts_filter").map(|node| reader.boolean(node));
    let session = reader.list(find(&members, "session"));
    let session: Vec<_> = session.iter().filter_map(|it| session_policy(reader, it)).collect();
    let rules = texts(reader, &members, "rules");
    let expect = expect?;
    let case = Case {
        name: name?,
        principals,
        actions,
        resources: if find(&members, "resources").is_none() {
            vec![String::new()]
        } else {
            resources
        },
        context: context.unwrap_or_default(),
        at: at?,
        accepts_filter: accepts.flatten().unwrap_or_else(|| expect.has_filter()),
        session,
        rules,
        expect,
    };
    check(reader, &node.path, &case);
    (reader.faults.len() == before).then_some(case)
}

/// What must hold of the case as a whole.
fn check(reader: &mut Reader<'_>, path: &str, case: &Case) {
    let lists = [
        ("principals", case.principals.len()),
        ("actions", case.actions.len()),
        ("resources", case.resources.len()),
    ];
    for (key, length) in lists {
        if length == 0 {
            reader.fault(&format!("{path}.{key}"), format!("`{key}` needs one entry or more"));
        }
    }
    let product = lists.iter().try_fold(1_usize, |all, (_, length)| all.checked_mul(*length));
    if product.is_none_or(|product| product > CASE_REQUESTS_MAX) {
        reader.fault(
            path,
            format!("the case makes over {CASE_REQUESTS_MAX} requests; split it into several"),
        );
    }
    if case.expect == Expectation::Refused {
        return;
    }
    for (at, action) in case.actions.iter().enumerate() {
        if let Err(fault) = ActionName::parse(action) {
            reader.fault(&format!("{path}.actions[{at}]"), fault.to_string());
        }
    }
    for (at, resource) in case.resources.iter().enumerate() {
        if let Err(fault) = Resource::parse(resource) {
            reader.fault(&format!("{path}.resources[{at}]"), fault.to_string());
        }
    }
    if let Err(fault) = case.context() {
        reader.fault(&format!("{path}.context"), fault.to_string());
    }
}

fn texts(reader: &mut Reader<'_>, members: &Members<'_>, key: &str) -> Vec<String> {
    let nodes = reader.list(find(members, key));
    nodes.iter().filter_map(|node| reader.text(node)).collect()
}

fn principal(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<PrincipalRef> {
    if node.kind() == Kind::Number {
        return reader.whole(node).map(PrincipalRef::Uin);
    }
    let name = reader.text(node)?;
    Some(if name == "root" { PrincipalRef::Root } else { PrincipalRef::Name(name) })
}

fn time(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Timestamp> {
    let text = reader.text(node)?;
    let time = text.parse().ok();
    if time.is_none() {
        reader.fault(
            &node.path,
            format!("`{text}` is no time; write it as in `2026-01-01T00:00:00Z`"),
        );
    }
    time
}

fn context(reader: &mut Reader<'_>, node: &Node<'_>) -> Vec<(String, Vec<ContextValue>)> {
    let members = reader.object(node, None).unwrap_or_default();
    let mut context = Vec::new();
    for (key, node) in members {
        let nodes = if node.kind() == Kind::List { reader.list(Some(&node)) } else { vec![node] };
        let values = nodes.iter().filter_map(|node| context_value(reader, node)).collect();
        context.push((key, values));
    }
    context
}

fn context_value(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<ContextValue> {
    match node.kind() {
        Kind::Text => reader.text(node).map(ContextValue::Text),
        Kind::Bool => reader.boolean(node).map(ContextValue::Bool),
        Kind::Number => {
            let number = Number::parse(node.text);
            if number.is_none() {
                reader.fault(&node.path, "the number has too many digits or too large an exponent");
            }
            number.map(ContextValue::Number)
        }
        Kind::Object | Kind::List | Kind::Null => {
            reader.fault(&node.path, "expected a string, a number or a boolean, or a list of them");
            None
        }
    }
}

fn session_policy(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Arc<ValidPolicy>> {
    match crate::lang::load(node.text.as_bytes()) {
        Ok(policy) => Some(Arc::new(policy)),
        Err(findings) => {
            for finding in findings {
                reader.fault(&node.path, finding.to_string());
            }
            None
        }
    }
}

fn outcome(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Outcome> {
    match reader.text(node)?.as_str() {
        "allow" => Some(Outcome::Allow),
        "deny" => Some(Outcome::Deny),
        other => {
            reader.fault(&node.path, format!("`{other}` is no outcome; write `allow` or `deny`"));
            None
        }
    }
}

fn expectation(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Expectation> {
    let mut expected = ExpectedAnswer {
        outcome: Outcome::Deny,
        reason: None,
        layer: None,
        policy: None,
        statement: None,
        filter: None,
    };
    if node.kind() == Kind::Text {
        expected.outcome = outcome(reader, node)?;
        return Some(Expectation::Answer(expected));
    }
    let keys = ["outcome", "reason", "layer", "policy", "statement", "filter", "error"];
    let before = reader.faults.len();
    let members = reader.object(node, Some(&keys))?;
    if let Some(error) = find(&members, "error") {
        let text = reader.text(error)?;
        if text != "invalid_argument" || members.len() > 1 {
            let message = "an expected refusal is `{\"error\": \"invalid_argument\"}` and no more";
            reader.fault(&error.path, message);
        }
        return Some(Expectation::Refused);
    }
    match find(&members, "outcome") {
        Some(node) => expected.outcome = outcome(reader, node)?,
        None => reader.fault(&node.path, "expected `outcome` or `error`"),
    }
    expected.reason = find(&members, "reason").and_then(|node| reader.text(node));
    expected.layer = find(&members, "layer").and_then(|node| layer(reader, node));
    expected.policy = find(&members, "policy").and_then(|node| reader.text(node));
    expected.statement = find(&members, "statement").and_then(|node| reader.whole(node));
    if find(&members, "filter").is_some() {
        let mut filter = texts(reader, &members, "filter");
        filter.sort();
        expected.filter = Some(filter);
    }
    if reader.faults.len() == before {
        coherent(reader, &node.path, &expected);
    }
    Some(Expectation::Answer(expected))
}

fn layer(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Layer> {
    let text = reader.text(node)?;
    let layer = Layer::ALL.into_iter().find(|layer| layer.as_str() == text);
    if layer.is_none() {
        let known = Layer::ALL.map(Layer::as_str).join("`, `");
        reader.fault(&node.path, format!("`{text}` is no layer; expected one of `{known}`"));
    }
    layer
}

/// An expectation that no answer can meet is a slip of its author.
fn coherent(reader: &mut Reader<'_>, path: &str, expected: &ExpectedAnswer) {
    let reasons: &[&str] = match expected.outcome {
        Outcome::Allow => &["root", "allow"],
        Outcome::Deny => {
            &["explicit_deny", "implicit_deny", "unknown_principal", "filter_unsupported", "error"]
        }
    };
    let reason = expected.reason.as_deref();
    if let Some(reason) = reason
        && !reasons.contains(&reason)
    {
        let (outcome, known) = (expected.outcome.as_str(), reasons.join("`, `"));
        reader.fault(
            &format!("{path}.reason"),
            format!("`{reason}` is no reason of {outcome}; expected one of `{known}`"),
        );
    }
    let layered = reason.is_none_or(|it| matches!(it, "explicit_deny" | "implicit_deny"));
    if expected.layer.is_some() && (expected.outcome == Outcome::Allow || !layered) {
        reader.fault(&format!("{path}.layer"), "only an explicit or implicit deny has a layer");
    }
    if expected.statement.is_some() && expected.policy.is_none() {
        reader.fault(&format!("{path}.statement"), "`statement` needs `policy`");
    }
    let determined =
        expected.outcome == Outcome::Allow || reason.is_none_or(|reason| reason == "explicit_deny");
    if expected.policy.is_some() && !determined {
        // rule D-11
        reader.fault(&format!("{path}.policy"), "only an allow and an explicit deny name policies");
    }
    if expected.filter.is_some() && expected.outcome == Outcome::Deny {
        reader.fault(&format!("{path}.filter"), "only an allow has a filter");
    }
}
