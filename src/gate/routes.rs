//! The route table: which action a method and a path stand for, where requests do not say.
//!
//! Built once from the configuration, with every fault found then. A path matches at most one
//! route: two that could match one request are refused when the table is built. It must never match
//! a part of a path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::path;
use super::settings::ROUTES_MAX;
use crate::lang::action::ActionName;
use crate::lang::resource::ResourceName;

/// One entry of `[[gate.routes]]`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    /// The methods, in capitals.
    pub methods: Vec<String>,
    /// The path: each segment a text or one `{variable}`.
    pub path: String,
    /// The action, as in policies.
    pub action: String,
    /// What it is about: `*`, or a six-segment name in whose last segment `{variable}` stands for
    /// the path's; none: the action's catalog says it.
    #[serde(default)]
    pub resource: Option<String>,
    /// Whether the service applies the filter of a list; none: as `[gate]` says.
    #[serde(default)]
    pub applies_filter: Option<bool>,
}

/// A segment of a route's path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Text(String),
    Variable(String),
}

/// One route, checked.
#[derive(Debug, Clone)]
pub struct Route {
    methods: Vec<String>,
    steps: Vec<Step>,
    /// The action.
    pub action: ActionName,
    /// What it is about, with `{variable}`s.
    resource: Option<String>,
    /// Whether the service applies filters.
    pub applies_filter: Option<bool>,
}

/// A route that a request takes, with what its variables stand for.
#[derive(Debug, Clone)]
pub(super) struct Taken<'a> {
    pub(super) route: &'a Route,
    pub(super) variables: BTreeMap<String, String>,
}

/// Why a table is refused; the text names the route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteFault {
    /// Too many.
    #[error("there are {0} routes; at most {ROUTES_MAX} are accepted")]
    TooMany(usize),
    /// Something is wrong with one.
    #[error("the route `{path}` {problem}")]
    Route {
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// All routes.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    routes: Vec<Route>,
}

impl RouteTable {
    /// Checks routes and puts them together.
    ///
    /// # Errors
    /// The first fault, with the route's path.
    pub fn new(raw: &[RawRoute]) -> Result<Self, RouteFault> {
        if raw.len() > ROUTES_MAX {
            return Err(RouteFault::TooMany(raw.len()));
        }
        let mut routes: Vec<Route> = Vec::with_capacity(raw.len());
        for entry in raw {
            let refuse = |problem: String| RouteFault::Route { path: entry.path.clone(), problem };
            let route = checked(entry).map_err(refuse)?;
            if routes.iter().any(|other| other.overlaps(&route)) {
                return Err(refuse("can be taken by a request of an earlier route too".into()));
            }
            routes.push(route);
        }
        Ok(Self { routes })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The route of a method and a path's decoded segments.
    pub(super) fn find(&self, method: &str, segments: &[String]) -> Option<Taken<'_>> {
        self.routes.iter().find_map(|route| route.take(method, segments))
    }
}

impl Route {
    fn take(&self, method: &str, segments: &[String]) -> Option<Taken<'_>> {
        let is_here =
            self.methods.iter().any(|it| it == method) && self.steps.len() == segments.len();
        if !is_here {
            return None;
        }
        let mut variables = BTreeMap::new();
        for (step, segment) in self.steps.iter().zip(segments) {
            match step {
                Step::Text(text) if text == segment => {}
                Step::Text(_) => return None,
                Step::Variable(_) if segment.is_empty() => return None,
                Step::Variable(name) => {
                    variables.insert(name.clone(), segment.clone());
                }
            }
        }
        Some(Taken { route: self, variables })
    }

    /// Whether one request could take both.
    fn overlaps(&self, other: &Self) -> bool {
        let shares_method = self.methods.iter().any(|it| other.methods.contains(it));
        let may_meet = |(one, two): (&Step, &Step)| match (one, two) {
            (Step::Text(one), Step::Text(two)) => one == two,
            (Step::Variable(_), Step::Text(text)) | (Step::Text(text), Step::Variable(_)) => {
                !text.is_empty()
            }
            (Step::Variable(_), Step::Variable(_)) => true,
        };
        shares_method
            && self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(may_meet)
    }
}

impl Taken<'_> {
    /// The route's resource with the variables' values in it; none when it names none.
    pub(super) fn resource(&self) -> Option<String> {
        let template = self.route.resource.as_ref()?;
        let mut text = String::with_capacity(template.len());
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            text.push_str(self.variables.get(name).map_or("", String::as_str));
            rest = tail;
        }
        text.push_str(rest);
        Some(text)
    }
}

fn checked(entry: &RawRoute) -> Result<Route, String> {
    let is_method =
        |it: &String| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_uppercase());
    if entry.methods.is_empty() || !entry.methods.iter().all(is_method) {
        return Err("needs `methods`, a list of names in capitals such as `GET`".into());
    }
    let steps = steps(&entry.path)?;
    let action = ActionName::parse(&entry.action)
        .map_err(|fault| format!("names the action `{}`, which {fault}", entry.action))?;
    if let Some(resource) = &entry.resource {
        check_resource(resource, &steps)?;
    }
    Ok(Route {
        methods: entry.methods.clone(),
        steps,
        action,
        resource: entry.resource.clone(),
        applies_filter: entry.applies_filter,
    })
}

fn steps(text: &str) -> Result<Vec<Step>, String> {
    let plain = text.replace(['{', '}'], "");
    let expected = "must be a path whose segments are texts or `{variable}`s";
    path::segments(&plain).map_err(|refusal| format!("{expected}: {refusal}"))?;
    let rest = text.strip_prefix('/').unwrap_or_default();
    let mut steps = Vec::new();
    for segment in rest.split('/').filter(|_| !rest.is_empty()) {
        let variable = segment.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        let step = match variable {
            Some(name) => Step::Variable(name.to_owned()),
            None => Step::Text(segment.to_owned()),
        };
        let is_plain = match &step {
            Step::Variable(name) => {
                !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                    && !steps.contains(&step)
            }
            Step::Text(text) => !text.contains(['{', '}', '%']),
        };
        if !is_plain {
            return Err(format!("{expected}; `{segment}` is neither, or comes twice"));
        }
        steps.push(step);
    }
    Ok(steps)
}

/// `*`, or a name whose variables stand in its last segment and are the path's.
fn check_resource(resource: &str, steps: &[Step]) -> Result<(), String> {
    if resource == "*" {
        return Ok(());
    }
    let head: String = resource.splitn(6, ':').take(5).collect();
    if head.contains(['{', '}']) {
        return Err("has a `{variable}` before the last segment of `resource`".into());
    }
    let mut plain = String::new();
    let mut rest = resource;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err("has a `{` without `}` in `resource`".into());
        };
        if !steps.contains(&Step::Variable(name.to_owned())) {
            return Err(format!("has no `{{{name}}}` in its path, which `resource` names"));
        }
        plain.push_str(before);
        plain.push('1');
        rest = tail;
    }
    plain.push_str(rest);
    ResourceName::parse(&plain).map_err(|fault| format!("has a `resource` that {fault}"))?;
    Ok(())
}
