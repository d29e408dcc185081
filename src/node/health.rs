//! Whether the node is ready, and why not.
//!
//! Problems are named, so that each is set and cleared by the one part that knows it. A node with
//! a problem that makes answers doubtful is not ready; what is only reported does not take it out
//! of service. It must never contain secrets: readiness is public.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// What the node says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    /// What makes the node not ready, sorted; empty when it is ready.
    pub problems: Vec<String>,
    /// What people should look at, sorted; the node answers correctly all the same.
    pub reports: Vec<String>,
}

impl Readiness {
    /// Whether the node may be sent requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.problems.is_empty()
    }
}

#[derive(Debug, Default)]
struct Inner {
    problems: BTreeMap<String, String>,
    reports: BTreeMap<String, String>,
}

/// Collects problems and tells who waits for readiness.
#[derive(Debug)]
pub(super) struct Health {
    inner: Mutex<Inner>,
    readiness: watch::Sender<Readiness>,
}

impl Health {
    pub(super) fn new() -> Self {
        let readiness = watch::Sender::new(Readiness::default());
        Self { inner: Mutex::new(Inner::default()), readiness }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    /// The change stream is broken, or not.
    pub(super) fn set_follow_problem(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.problems, "changes are not followed", problem);
    }

    /// The change stream of a shared store is broken, or not: reported, because answers say their
    /// age and end when it is too great.
    pub(super) fn set_follow_report(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.reports, "changes are not followed", problem);
    }

    /// A shared store does not answer or is ahead, or not.
    pub(super) fn set_store_report(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.reports, "store", problem);
    }

    /// The store has no room to write, or has: reported, because answers are right.
    pub(super) fn set_full_report(&self, is_full: bool) {
        let report = "there is no room to write, so writes are refused".to_owned();
        self.set(|inner| &mut inner.reports, "store's disk", is_full.then_some(report));
    }

    /// The registry of nodes cannot be used, or can.
    pub(super) fn set_registry_report(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.reports, "registry of nodes", problem);
    }

    /// Answers would be too old, or not.
    pub(super) fn set_stale_problem(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.problems, "answers are too old", problem);
    }

    /// The reference reading decided otherwise; a problem where that ends the node's service.
    pub(super) fn set_referee_problem(&self, problem: Option<String>, is_strict: bool) {
        let place = "the referee disagrees";
        if is_strict {
            self.set(|inner| &mut inner.problems, place, problem);
        } else {
            self.set(|inner| &mut inner.reports, place, problem);
        }
    }

    /// The decision log cannot be written, or can; a problem where answers depend on it.
    pub(super) fn set_log_problem(&self, problem: Option<String>, answers_depend: bool) {
        let place = "the decision log cannot be written";
        if answers_depend {
            self.set(|inner| &mut inner.problems, place, problem);
        } else {
            self.set(|inner| &mut inner.reports, place, problem);
        }
    }

    /// Certificates cannot be read anew, or can: reported, because the last good ones are in force.
    pub(super) fn set_certificates_report(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.reports, "certificates", problem);
    }

    /// The operator's files and the recorded presets disagree, or not.
    pub(super) fn set_preset_problem(&self, problem: Option<String>) {
        self.set(|inner| &mut inner.problems, "operator presets", problem);
    }

    /// A record cannot be read: reported, because only its account is out of service.
    pub(super) fn set_record_problem(&self, place: &str, problem: Option<String>) {
        self.set(|inner| &mut inner.reports, place, problem);
    }

    /// Replaces what is reported about the operator's files.
    pub(super) fn set_preset_reports(&self, reports: Vec<(String, String)>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.reports.retain(|place, _| !place.starts_with(PRESET_PREFIX));
        for (name, report) in reports {
            inner.reports.insert(format!("{PRESET_PREFIX}{name}"), report);
        }
        self.publish(&inner);
    }

    fn set(
        &self,
        part: impl FnOnce(&mut Inner) -> &mut BTreeMap<String, String>,
        place: &str,
        problem: Option<String>,
    ) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let map = part(&mut inner);
        let changed = match problem {
            Some(problem) => map.insert(place.to_owned(), problem.clone()) != Some(problem),
            None => map.remove(place).is_some(),
        };
        if changed {
            self.publish(&inner);
        }
    }

    fn publish(&self, inner: &Inner) {
        let lines = |map: &BTreeMap<String, String>| {
            map.iter().map(|(place, problem)| format!("{place}: {problem}")).collect()
        };
        let next = Readiness { problems: lines(&inner.problems), reports: lines(&inner.reports) };
        self.readiness.send_replace(next);
    }
}

const PRESET_PREFIX: &str = "operator preset ";
