//! Puts cases to a snapshot: every case is the product of its principals, actions and resources.
//!
//! The explanation of each request gives its answer, the reasons of a failure, and the coverage.
//! It must never let a request pass that could not be asked. Case files and a snapshot in, a
//! report out.

use std::sync::Arc;

use super::cases::{Case, CaseFile, PrincipalRef};
use super::coverage::{Coverage, Tally};
use super::expect::{Answer, Expectation};
use super::why::why;
use crate::engine::{
    AccountSnapshot, CompiledPolicy, PolicyBody, PolicyInput, Request, RequestParts, Resource,
    explain,
};
use crate::lang::action::ActionName;

/// Finds the uin of a principal that a case names; none when there is nobody of that name.
pub type Names<'a> = dyn Fn(&PrincipalRef) -> Option<u64> + 'a;

/// One request of one case, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// The case file's name.
    pub file: String,
    /// The case's name.
    pub case: String,
    /// Who asked, as the case names them.
    pub principal: String,
    /// The action, as written.
    pub action: String,
    /// The resource, as written; empty for none.
    pub resource: String,
    /// What was expected.
    pub expected: Expectation,
    /// What came out.
    pub actual: Answer,
    /// Whether that is as expected.
    pub passed: bool,
    /// Of a failure: expected and actual, what determined it, and the nearest misses; one thought
    /// a line. Empty when it passed.
    pub why: String,
}

/// What a run of policy tests found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// Every request, in the order of files, cases, principals, actions and resources.
    pub results: Vec<CaseResult>,
    /// What of the account's own policies the cases have put to the test.
    pub coverage: Coverage,
}

impl TestReport {
    /// The results that are not as expected.
    pub fn failures(&self) -> impl Iterator<Item = &CaseResult> {
        self.results.iter().filter(|result| !result.passed)
    }
}

/// One request of a case, before it is decided.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The case file's name.
    pub file: &'a str,
    /// The case.
    pub case: &'a Case,
    /// Who asks.
    pub principal: &'a PrincipalRef,
    /// The action, as written.
    pub action: &'a str,
    /// The resource, as written.
    pub resource: &'a str,
    /// The request, or why there is none.
    pub request: Result<Request, String>,
}

/// Every request of the case files, for a snapshot's catalog and registered apps.
pub fn requests<'a>(
    snapshot: &'a AccountSnapshot,
    names: &'a Names<'_>,
    files: &'a [CaseFile],
) -> impl Iterator<Item = Asked<'a>> {
    let cases = files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)));
    cases.flat_map(move |(file, case)| {
        let session = session(snapshot, case);
        let actions = move |principal| case.actions.iter().map(move |action| (principal, action));
        let pairs = case.principals.iter().flat_map(actions);
        let triples = pairs.flat_map(|(principal, action)| {
            case.resources.iter().map(move |resource| (principal, action, resource))
        });
        triples.map(move |(principal, action, resource)| Asked {
            file: &file.name,
            case,
            principal,
            action,
            resource,
            request: names(principal)
                .ok_or_else(|| format!("the account has no sub-account `{principal}`"))
                .and_then(|uin| request(snapshot, case, uin, (action, resource), &session)),
        })
    })
}

fn session(snapshot: &AccountSnapshot, case: &Case) -> Vec<Arc<CompiledPolicy>> {
    let compile = |(id, policy): (u64, _)| {
        let input = PolicyInput {
            id,
            name: format!("session[{id}]").into(),
            version: 1,
            body: PolicyBody::Valid(Arc::clone(policy)),
        };
        Arc::new(CompiledPolicy::new(input, snapshot.world().catalog()))
    };
    (0..).zip(&case.session).map(compile).collect()
}

fn request(
    snapshot: &AccountSnapshot,
    case: &Case,
    principal: u64,
    (action, resource): (&str, &str),
    session: &[Arc<CompiledPolicy>],
) -> Result<Request, String> {
    let action = ActionName::parse(action).map_err(|fault| fault.to_string())?;
    let resource = Resource::parse(resource).map_err(|fault| fault.to_string())?;
    let registered = match &resource {
        Resource::Name(name) => name.sdkappid(),
        Resource::Star | Resource::Nothing => None,
    };
    // rule D-08: this account's registry is the only one at hand
    let registered_owner =
        registered.filter(|app| snapshot.has_app(*app)).map(|_| snapshot.owner().uin);
    let parts = RequestParts {
        principal,
        action,
        resource,
        context: case.context().map_err(|fault| fault.to_string())?,
        now: case.at,
        session: session.to_vec(),
        registered_owner,
        granted_by_owner: false,
        accepts_filter: case.accepts_filter,
    };
    Request::check(parts, snapshot.world().catalog()).map_err(|fault| fault.to_string())
}

/// Runs the cases.
#[must_use]
pub fn run(snapshot: &AccountSnapshot, names: &Names<'_>, files: &[CaseFile]) -> TestReport {
    let mut tally = Tally::default();
    let result = |asked: Asked<'_>| {
        let Asked { file, case, principal, action, resource, request } = asked;
        let explanation = request.map(|request| explain(snapshot, &request));
        if let Ok(explanation) = &explanation {
            tally.add(explanation);
        }
        let actual = match &explanation {
            Ok(explanation) => Answer::Decided(explanation.decision.clone()),
            Err(fault) => Answer::Refused(fault.clone()),
        };
        // A principal that is not there is a slip of the case, whatever it expects.
        let passed = names(principal).is_some() && case.expect.holds(&actual);
        let why = if passed { String::new() } else { why(&case.expect, &actual, explanation.ok()) };
        CaseResult {
            file: file.to_owned(),
            case: case.name.clone(),
            principal: principal.to_string(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            expected: case.expect.clone(),
            actual,
            passed,
            why,
        }
    };
    let results = requests(snapshot, names, files).map(result).collect();
    TestReport { results, coverage: tally.coverage(snapshot) }
}
