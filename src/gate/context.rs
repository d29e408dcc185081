//! The facts of a call that conditions test: where it comes from, and the tags that it carries.
//!
//! The address is the proxy's word, never a client's header. The time, the tags of registered apps
//! and everything derived are added by the engine.

use super::form::{FormValue, Members, excerpt};
use super::http::HttpRequest;
use super::params::Params;
use super::refusal::Refusal;
use super::settings::TAGS_MAX;
use crate::catalog::Action;
use crate::lang::condition::{Context, ContextValue};

const IP_KEY: &str = "qcs:ip";
const REQUEST_TAG_KEY: &str = "qcs:request_tag";
/// The parameters that carry tags, as the official APIs name them.
const TAG_PARAMETERS: [&str; 3] = ["Tags", "ResourceTags", "TagList"];

/// The facts of a request. Tags count for actions that can carry them.
///
/// # Errors
/// Tags that cannot be read, or facts over a limit.
pub(super) fn context(
    request: &HttpRequest,
    action: Option<&Action>,
    params: &Params,
) -> Result<Context, Refusal> {
    let refuse = |fault: crate::lang::condition::ContextFault| Refusal::Context(fault.to_string());
    let mut context = Context::new();
    let ip = ContextValue::Text(request.client.to_canonical().to_string());
    context.insert(IP_KEY, vec![ip]).map_err(refuse)?;
    if action.is_some_and(|action| action.request_tags) {
        context.insert(REQUEST_TAG_KEY, tags(params)?).map_err(refuse)?;
    }
    Ok(context)
}

fn tags(params: &Params) -> Result<Vec<ContextValue>, Refusal> {
    let mut tags = Vec::new();
    for members in &params.parts {
        for (name, value) in members {
            if !TAG_PARAMETERS.contains(&name.as_str()) {
                continue;
            }
            let bad = || Refusal::BadTags { name: excerpt(name) };
            let items: Vec<&FormValue> = match value {
                FormValue::Null => Vec::new(),
                FormValue::List(items) => items.iter().collect(),
                FormValue::Members(members) => members.values().collect(),
                FormValue::Flag(_) | FormValue::Number(_) | FormValue::Text(_) => {
                    return Err(bad());
                }
            };
            for item in items {
                let FormValue::Members(tag) = item else { return Err(bad()) };
                let key = text(tag, ["Key", "TagKey"]).ok_or_else(bad)?;
                let value = text(tag, ["Value", "TagValue"]).ok_or_else(bad)?;
                tags.push(ContextValue::Text(format!("{key}&{value}")));
            }
        }
    }
    if tags.len() > TAGS_MAX {
        let actual = tags.len();
        return Err(Refusal::TooMany { what: "tags", limit: TAGS_MAX, actual });
    }
    Ok(tags)
}

/// The text under exactly one of two names.
fn text<'a>(members: &'a Members, names: [&str; 2]) -> Option<&'a str> {
    let mut found = names.into_iter().filter_map(|name| members.get(name));
    match (found.next(), found.next()) {
        (Some(FormValue::Text(text)), None) => Some(text),
        _ => None,
    }
}
