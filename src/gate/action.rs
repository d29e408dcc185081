//! Which action a request is: named by the proxy's route, by `X-TC-Action`, or by the route table.
//!
//! One place only. The service of `X-TC-Action` is that of the signature's scope, which is proven.

use super::form::{Members, excerpt};
use super::http::{HttpRequest, Named};
use super::path;
use super::proof::Proof;
use super::refusal::Refusal;
use super::routes::Taken;
use super::settings::GateSettings;
use crate::catalog::Catalog;
use crate::lang::action::ActionName;

/// The header in which calls name their action.
pub(super) const ACTION_HEADER: &str = "x-tc-action";
/// The parameter in which calls of older API versions named it; the header must be the only place.
const ACTION_PARAMETER: &str = "Action";

/// The action of a request, and the route that it takes.
#[derive(Debug, Clone)]
pub(super) struct Asked<'a> {
    pub(super) action: ActionName,
    /// The route of the table, when that names the action.
    pub(super) taken: Option<Taken<'a>>,
}

/// Finds the action.
///
/// # Errors
/// None, two, or one that cannot be read or is spelt in wrong case.
pub(super) fn asked<'a>(
    settings: &'a GateSettings,
    catalog: &Catalog,
    request: &HttpRequest,
    named: &Named,
    proof: &Proof,
) -> Result<Asked<'a>, Refusal> {
    let header = request.header(ACTION_HEADER)?;
    let segments = path::segments(&request.path)?;
    let taken = settings.routes.find(&request.method, &segments);
    let places = [
        ("the proxy's route", named.action.is_some()),
        ("the header `X-TC-Action`", header.is_some()),
        ("the route table", taken.is_some()),
    ];
    let mut places = places.into_iter().filter_map(|(place, is_one)| is_one.then_some(place));
    if let (Some(first), Some(second)) = (places.next(), places.next()) {
        return Err(Refusal::TwoActions { first, second });
    }
    let action = match (&named.action, header, &taken) {
        (Some(action), _, _) => parse(action)?,
        (None, Some(name), _) => {
            if !segments.is_empty() {
                return Err(Refusal::Path("of a call with `X-TC-Action` is `/`"));
            }
            if !matches!(request.method.as_str(), "GET" | "POST") {
                return Err(Refusal::ApiMethod);
            }
            parse(&format!("{}:{name}", service(settings, named, proof)?))?
        }
        (None, None, Some(taken)) => taken.route.action.clone(),
        (None, None, None) => {
            let (method, path) = (request.method.clone(), excerpt(&request.path));
            return Err(Refusal::NoAction { method, path });
        }
    };
    if let Some(twin) = catalog.case_twin(action.service(), action.name()) {
        let catalogued = twin.qualified_name();
        return Err(Refusal::CaseTwin { action: action.to_string(), catalogued });
    }
    Ok(Asked { action, taken })
}

/// Refuses a parameter in which the service behind might find another action.
///
/// # Errors
/// [`Refusal::TwoActions`].
pub(super) fn check_parameters(members: &Members) -> Result<(), Refusal> {
    if members.keys().any(|name| name.eq_ignore_ascii_case(ACTION_PARAMETER)) {
        let (first, second) = ("the header `X-TC-Action`", "the parameter `Action`");
        return Err(Refusal::TwoActions { first, second });
    }
    Ok(())
}

/// The service of an action that is named without one.
fn service<'a>(
    settings: &'a GateSettings,
    named: &'a Named,
    proof: &'a Proof,
) -> Result<&'a str, Refusal> {
    if let Proof::Signed { service } = proof {
        return match &named.service {
            Some(other) if other != service => {
                Err(Refusal::Service { found: service.clone(), served: vec![other.clone()] })
            }
            _ => Ok(service),
        };
    }
    match (&named.service, settings.services.as_slice()) {
        (Some(service), _) => Ok(service),
        (None, [service]) => Ok(service),
        (None, _) => Err(Refusal::WhichService),
    }
}

fn parse(text: &str) -> Result<ActionName, Refusal> {
    ActionName::parse(text)
        .map_err(|fault| Refusal::BadAction { action: excerpt(text), problem: fault.to_string() })
}
