//! Through which policies one identity is granted which services.
//!
//! Told from what the policies' allows name, for every catalogued service; denies, resources and
//! conditions are not weighed, which is what the action is documented to answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::objects::{AnyPolicy, any_policy};
use super::{Look, fields, look, no_such};
use crate::catalog::{Catalog, Service};
use crate::directory::{AccountState, Attachment, GroupId, Noun, PolicyId, RoleId};
use crate::lang::document::Effect;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;

pub(super) async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let held = held(call, look.state())?;
    let wanted = call.params.text("ServiceType");
    let catalog = call.node.catalog();
    let services =
        catalog.services().filter(|it| wanted.is_none_or(|name| *it.abbreviation == *name));
    let nodes: Vec<Value> =
        services.filter_map(|service| node(&look, catalog, service, &held)).collect();
    let fields = fields(json!({"List": nodes}));
    Ok(look.done(fields))
}

/// The policies of the identity that the call names, directly or by its groups; none twice.
fn held(call: &Call<'_>, state: &AccountState) -> Result<Vec<PolicyId>, CamError> {
    let params = &call.params;
    let mut attachments: Vec<Attachment> = Vec::new();
    if let Some(uin) = params.number("TargetUin") {
        let user = state.sub_account(uin).ok_or_else(|| no_such(Noun::SubAccount, uin))?;
        attachments.extend(&user.attachments);
        let groups = user.groups.iter().filter_map(|id| state.group(*id));
        groups.for_each(|group| attachments.extend(&group.attachments));
    } else if let Some(id) = params.number("RoleId").map(RoleId) {
        let role = state.role(id).ok_or_else(|| no_such(Noun::Role, id))?;
        attachments.extend(&role.attachments);
    } else {
        let id = GroupId(params.need_number("GroupId")?);
        let group = state.group(id).ok_or_else(|| no_such(Noun::Group, id))?;
        attachments.extend(&group.attachments);
    }
    let mut ids: Vec<PolicyId> = attachments.iter().map(|it| it.policy).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// What the policies grant of one service; none when that is nothing.
fn node(look: &Look, catalog: &Catalog, service: &Service, held: &[PolicyId]) -> Option<Value> {
    let state = look.state();
    let mut actions: BTreeMap<&str, &str> = BTreeMap::new();
    let mut policies: Vec<Value> = Vec::new();
    for policy in held.iter().filter_map(|id| any_policy(state, look.presets(), *id)) {
        let granted = granted(state, &policy, catalog, service);
        if granted.is_empty() {
            continue;
        }
        actions.extend(granted);
        policies.push(json!({
            "PolicyId": policy.id().0.to_string(),
            "PolicyName": policy.name(),
            "PolicyType": policy.kind_word(),
            "PolicyDescription": policy.description(),
        }));
    }
    let action = |(name, what): (&str, &str)| json!({"Name": name, "Description": what});
    (!policies.is_empty()).then(|| {
        json!({
            "Service": {"ServiceType": service.abbreviation, "ServiceName": service.name.zh},
            "Action": actions.into_iter().map(action).collect::<Vec<_>>(),
            "Policy": policies,
        })
    })
}

/// The catalogued actions of a service that a policy's allows name, with their descriptions.
fn granted<'a>(
    state: &AccountState,
    policy: &AnyPolicy<'_>,
    catalog: &'a Catalog,
    service: &Service,
) -> Vec<(&'a str, &'a str)> {
    let Some(valid) = policy.body(state).and_then(|it| it.valid()).map(Arc::clone) else {
        return Vec::new();
    };
    let allows = |it: &&crate::lang::valid::Statement| it.effect() == Effect::Allow;
    let patterns: Vec<_> =
        valid.statements().iter().filter(allows).flat_map(|it| it.actions()).collect();
    let actions = catalog.actions_of(&service.abbreviation).iter();
    actions
        .filter(|action| patterns.iter().any(|it| it.matches(&action.service, &action.name)))
        .map(|action| (&*action.name, &*action.description.zh))
        .collect()
}
