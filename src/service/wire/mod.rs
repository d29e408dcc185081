//! The only border of the API's protobuf types and domain values.
//!
//! Messages are taken apart field by field, so that a new field cannot be forgotten; limits of
//! requests stand in `request`. It must never decide anything.

pub(super) mod callers;
pub(super) mod changes;
pub mod decision;
pub(super) mod identities;
pub(super) mod objects;
pub mod request;

pub(crate) use callers::{caller, read_caller};

use super::proto;
use crate::lang::diagnostic::Diagnostic;

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Findings about a policy, in their order.
pub(super) fn findings(findings: &[Diagnostic]) -> Vec<proto::Finding> {
    findings.iter().map(finding).collect()
}

fn finding(finding: &Diagnostic) -> proto::Finding {
    let Diagnostic { severity, code, path, span, line, column, message, found, expected, help } =
        finding;
    proto::Finding {
        severity: severity.as_str().to_owned(),
        code: code.as_str().to_owned(),
        path: path.clone(),
        line: narrow(*line),
        column: narrow(*column),
        message: message.clone(),
        found: found.clone(),
        expected: expected.clone(),
        help: help.clone().unwrap_or_default(),
        start: narrow(span.start),
        end: narrow(span.end),
    }
}
