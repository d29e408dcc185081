//! From a request to a question: the one way through the gate's pure part.
//!
//! [`map`] is the only maker of [`Mapped`], so having one proves that the request could be read in
//! one way. Which account an app belongs to is found by the node.

use std::collections::BTreeSet;

use super::action::{self, Asked};
use super::context::context;
use super::form::excerpt;
use super::http::{HttpRequest, Named};
use super::ids::{self, APPS, Kind};
use super::params::{self, Params};
use super::proof::{self, Proof};
use super::refusal::Refusal;
use super::settings::GateSettings;
use crate::catalog::{Action, Catalog, Registry, ResourceType};
use crate::engine::Resource;
use crate::lang::action::ActionName;
use crate::lang::condition::Context;
use crate::lang::resource::ResourceName;
use crate::lang::vocabulary::Granularity;

/// The region of a call.
const REGION_HEADER: &str = "x-tc-region";

/// A question, but for the owner of its resources.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// What proves who calls.
    pub proof: Proof,
    /// The action.
    pub action: ActionName,
    /// What it is about.
    pub target: Target,
    /// Every app that the call names; each must be the caller's.
    pub apps: BTreeSet<u64>,
    /// The facts.
    pub context: Context,
    /// Whether the service behind applies filters.
    pub applies_filter: bool,
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `*`.
    Star,
    /// All that the caller may see.
    List,
    /// One resource, as the route says.
    Name(ResourceName),
    /// Resources of a catalogued type, at least one; all must be allowed.
    Ids {
        /// The type.
        kind: Box<str>,
        /// The ids, sorted.
        ids: Vec<String>,
        /// The region of the call, for types whose names carry one.
        region: String,
    },
}

impl Mapped {
    /// The resources to ask about, in the account of the caller.
    ///
    /// # Errors
    /// [`Refusal::BadResource`] for an id that makes no name.
    pub fn resources(&self, catalog: &Catalog, owner_uin: u64) -> Result<Vec<Resource>, Refusal> {
        match &self.target {
            Target::Star => Ok(vec![Resource::Star]),
            Target::List => Ok(vec![Resource::Nothing]),
            Target::Name(name) => Ok(vec![Resource::Name(name.clone())]),
            Target::Ids { kind, ids, region } => {
                let service = catalog.service(self.action.service());
                let Some(kind) = service.and_then(|service| service.resource_type(kind)) else {
                    return Err(Refusal::NoResourceType { action: self.action.to_string() });
                };
                ids.iter().map(|id| name(kind, owner_uin, id, region)).collect()
            }
        }
    }
}

fn name(kind: &ResourceType, owner_uin: u64, id: &str, region: &str) -> Result<Resource, Refusal> {
    let mut text = kind.name_of(owner_uin, id);
    if !region.is_empty() {
        let mut segments: Vec<&str> = text.splitn(6, ':').collect();
        if let Some(slot) = segments.get_mut(3).filter(|slot| slot.is_empty()) {
            *slot = region;
        }
        text = segments.join(":");
    }
    ResourceName::parse(&text).map(Resource::Name).map_err(|fault| bad_resource(&text, &fault))
}

fn bad_resource(text: &str, fault: &impl std::fmt::Display) -> Refusal {
    Refusal::BadResource { resource: excerpt(text), problem: fault.to_string() }
}

/// Reads a request.
///
/// # Errors
/// Why it cannot be read in one way, or not at all.
pub fn map(
    settings: &GateSettings,
    catalog: &Catalog,
    request: &HttpRequest,
    named: &Named,
) -> Result<Mapped, Refusal> {
    request.check()?;
    let proof = proof::proof(settings, request)?;
    let Asked { action, taken } = action::asked(settings, catalog, request, named, &proof)?;
    let known = catalog.action(action.service(), action.name());
    let params = params::read(request)?;
    if request.header(action::ACTION_HEADER)?.is_some() {
        params.parts.iter().try_for_each(action::check_parameters)?;
    }
    let mut apps = ids::find(&APPS, &params)?;
    let in_path = |kind: &Kind<'_>| -> Result<BTreeSet<String>, Refusal> {
        let variables = taken.iter().flat_map(|taken| &taken.variables);
        let named = variables.filter(|(name, _)| kind.is_named(name));
        named.map(|(name, value)| kind.id(name, &value.clone().into())).collect()
    };
    apps.extend(in_path(&APPS)?);
    let by_route = named.resource.clone().or_else(|| taken.as_ref().and_then(|it| it.resource()));
    let target = match (by_route, known) {
        (Some(resource), _) => explicit(&resource, known)?,
        (None, None) => {
            let nearest = catalog.nearest(action.service(), action.name());
            return Err(Refusal::UnknownAction { action: action.to_string(), nearest });
        }
        (None, Some(known)) => derived(catalog, known, request, &params, in_path)?,
    };
    if let Target::Name(name) = &target {
        apps.extend(name.sdkappid().map(|id| id.to_string()));
    }
    let by_route = named.applies_filter.or(taken.as_ref().and_then(|it| it.route.applies_filter));
    Ok(Mapped {
        context: context(request, known, &params)?,
        proof,
        action,
        target,
        apps: apps.iter().filter_map(|id| id.parse().ok()).collect(),
        applies_filter: by_route.unwrap_or(settings.applies_filter),
    })
}

/// What the route says the call is about.
fn explicit(resource: &str, known: Option<&Action>) -> Result<Target, Refusal> {
    match Resource::parse(resource) {
        Ok(Resource::Star) if known.is_some_and(|it| it.granularity == Granularity::List) => {
            Ok(Target::List)
        }
        Ok(Resource::Star) => Ok(Target::Star),
        Ok(Resource::Name(name)) => Ok(Target::Name(name)),
        Ok(Resource::Nothing) => Err(bad_resource(resource, &"is empty: write `*` or a name")),
        Err(fault) => Err(bad_resource(resource, &fault)),
    }
}

/// What the catalog says the call is about. Everything that could name another resource must have
/// been read, so a body that was not is refused, unless the path names the resource.
fn derived(
    catalog: &Catalog,
    action: &Action,
    request: &HttpRequest,
    params: &Params,
    in_path: impl Fn(&Kind<'_>) -> Result<BTreeSet<String>, Refusal>,
) -> Result<Target, Refusal> {
    let unread = || params.is_body_unread.clone().map_or(Ok(()), Err);
    match action.granularity {
        Granularity::Operation => unread().map(|()| Target::Star),
        Granularity::List => unread().map(|()| Target::List),
        Granularity::Resource => {
            let service = catalog.service(&action.service);
            let kind = action.resource_type.as_deref();
            let kind = service.zip(kind).and_then(|(service, kind)| service.resource_type(kind));
            let Some(kind) = kind else {
                return Err(Refusal::NoResourceType { action: action.qualified_name() });
            };
            let is_number = kind.registry == Some(Registry::Apps);
            let named = Kind { name: &kind.name, is_number };
            let by_path = in_path(&named)?;
            if by_path.is_empty() {
                unread()?;
            }
            let mut ids = ids::find(&named, params)?;
            ids.extend(by_path);
            if ids.is_empty() {
                let name = if is_number { "SdkAppId" } else { &*kind.name };
                let action = action.qualified_name();
                return Err(Refusal::NoResource { name: name.to_owned(), action });
            }
            let region = if action.region_scoped { request.header(REGION_HEADER)? } else { None };
            Ok(Target::Ids {
                kind: kind.name.clone(),
                ids: ids.into_iter().collect(),
                region: region.unwrap_or_default().to_owned(),
            })
        }
    }
}
