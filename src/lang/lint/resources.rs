//! Resources too narrow for the actions beside them (rule R-03).

use super::{CheckedStatement, Findings, NARROW_RESOURCE, Vocabulary, listed, matched};
use crate::lang::findings::excerpt;
use crate::lang::vocabulary::Granularity;

/// How many actions a finding names.
const NAMES_MAX: usize = 3;

pub(super) fn lint(
    statement: &CheckedStatement,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    // A resource that was refused might have been the `*`; a trust policy has none.
    let narrow = !statement.resources.is_empty()
        && statement.whole
        && !statement.resources.iter().any(|resource| resource.value.is_all());
    if !narrow {
        return;
    }
    for action in &statement.actions {
        if findings.is_full() {
            return;
        }
        let mut others = 0_usize;
        let mut operations = Vec::new();
        for facts in matched(&action.value, vocabulary) {
            match facts.granularity {
                Granularity::Operation => operations.push((facts.service, facts.name)),
                Granularity::Resource | Granularity::List => others += 1,
            }
        }
        if operations.is_empty() {
            continue;
        }
        let exact = operations.len() == 1;
        let names = listed(operations, NAMES_MAX);
        let text = excerpt(action.value.text());
        let finding = if others == 0 {
            let what = if exact { "it is".to_owned() } else { format!("{names} are") };
            let message = format!("`{text}` has no effect here: {what} asked about `*` only");
            NARROW_RESOURCE.at(action.span, message)
        } else {
            let message = format!("`{text}` has no effect on {names}, asked about `*` only");
            NARROW_RESOURCE.note(action.span, message)
        };
        findings.push(finding.found(action.value.text()).expected("the resource `*`"));
    }
}
