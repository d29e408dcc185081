//! What the generators have reached, so that a property never passes for want of cases.

use std::collections::BTreeMap;

use camgate::engine::{Decision, Explanation, FirstFailure, StatementResult};

/// Counts by name.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: BTreeMap<String, usize>,
}

impl Histogram {
    pub fn count(&mut self, name: impl Into<String>) {
        *self.counts.entry(name.into()).or_default() += 1;
    }

    pub fn decision(&mut self, decision: &Decision) {
        self.count(format!("outcome {}", decision.outcome.as_str()));
        self.count(format!("reason {}", decision.reason));
        for it in &decision.determining {
            self.count(format!("determining {} {}", it.layer.as_str(), it.effect.as_str()));
        }
        for it in &decision.errors {
            let what = if it.statement.is_some() { "condition" } else { "policy" };
            self.count(format!("error {} {what}", it.layer.as_str()));
        }
        if let Some(filter) = &decision.filter {
            self.count(if filter.all { "filter all" } else { "filter some" });
        }
        decision.notes.iter().for_each(|it| self.count(format!("note {}", it.as_str())));
    }

    pub fn explanation(&mut self, explanation: &Explanation) {
        for statement in explanation.resources.iter().flat_map(|it| &it.statements) {
            match &statement.result {
                StatementResult::Matched => self.count("statement matched"),
                StatementResult::Errored { .. } => self.count("statement errored"),
                StatementResult::Failed(FirstFailure::Action) => self.count("failed action"),
                StatementResult::Failed(FirstFailure::Resource) => self.count("failed resource"),
                StatementResult::Failed(FirstFailure::Condition { missing, .. }) => {
                    self.count(if *missing { "failed missing key" } else { "failed condition" });
                }
            }
        }
    }

    pub fn get(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or(0)
    }

    pub fn print(&self) {
        for (name, count) in &self.counts {
            println!("{count:>10} {name}");
        }
    }
}
