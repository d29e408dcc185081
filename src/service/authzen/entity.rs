//! AuthZEN's entities, and what they are in CAM.
//!
//! A subject is a sub-account, a resource a six-segment name, an action an action; properties and
//! context become condition keys. What cannot be a fact is refused, never left out, for a deny may
//! ask about it.

use super::{Authzen, Fault};
use crate::engine::Resource;
use crate::gate::form::{FormValue, Members, excerpt};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::lang::id;
use crate::lang::number::Number;
use crate::node::Asker;

/// The type of resources whose id is a six-segment name or `*`.
pub(super) const QCS: &str = "qcs";
/// Deepest nesting of properties and context.
const DEPTH_MAX: usize = 8;

/// A subject or a resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entity<'a> {
    pub(super) kind: &'a str,
    /// None in a search for it.
    pub(super) id: Option<&'a str>,
    properties: Option<&'a Members>,
}

/// An action.
#[derive(Debug, Clone, Copy)]
pub(super) struct Action<'a> {
    pub(super) name: &'a str,
    properties: Option<&'a Members>,
}

/// A member that must be an object.
pub(super) fn object<'a>(members: &'a Members, name: &str) -> Result<&'a Members, Fault> {
    match members.get(name) {
        Some(FormValue::Members(object)) => Ok(object),
        None => Err(Fault::bad(format!("`{name}` is missing"))),
        Some(_) => Err(Fault::kind(name, "an object")),
    }
}

/// A member that may be there and must then be an object.
pub(super) fn optional<'a>(
    members: &'a Members,
    path: &str,
    name: &str,
) -> Result<Option<&'a Members>, Fault> {
    match members.get(name) {
        None | Some(FormValue::Null) => Ok(None),
        Some(FormValue::Members(object)) => Ok(Some(object)),
        Some(_) => Err(Fault::kind(&join(path, name), "an object")),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn text<'a>(members: &'a Members, path: &str, name: &str) -> Result<&'a str, Fault> {
    match members.get(name) {
        Some(FormValue::Text(text)) if !text.is_empty() => Ok(text),
        None => Err(Fault::bad(format!("`{}` is missing", join(path, name)))),
        Some(_) => Err(Fault::kind(&join(path, name), "a text of one character or more")),
    }
}

impl<'a> Entity<'a> {
    /// Reads one. Only the searched one does without an id; one that it has is passed over.
    pub(super) fn read(members: &'a Members, path: &str, searched: bool) -> Result<Self, Fault> {
        Ok(Self {
            kind: text(members, path, "type")?,
            id: if searched { None } else { Some(text(members, path, "id")?) },
            properties: optional(members, path, "properties")?,
        })
    }
}

impl<'a> Action<'a> {
    pub(super) fn read(members: &'a Members) -> Result<Self, Fault> {
        Ok(Self {
            name: text(members, "action", "name")?,
            properties: optional(members, "action", "properties")?,
        })
    }
}

impl Authzen {
    /// Who asks; none for nobody here.
    pub(super) async fn asker(&self, subject: Entity<'_>) -> Result<Option<Asker>, Fault> {
        let Some(name) = subject.id.filter(|_| self.is_subject_type(subject.kind)) else {
            return Ok(None);
        };
        let account = self.settings.account;
        if account == 0 {
            return Ok(id::parse(name).map(|uin| Asker::Uin { uin, owner_uin: None }));
        }
        let view = self.node.view(account).await?;
        let user = view.as_ref().and_then(|view| view.state.sub_account_named(name));
        Ok(user.map(|user| Asker::Uin { uin: user.uin, owner_uin: Some(account) }))
    }

    /// Nobody: a uin that nobody has (rule D-12).
    pub(super) fn nobody(&self) -> Asker {
        let account = self.settings.account;
        Asker::Uin { uin: 0, owner_uin: (account != 0).then_some(account) }
    }

    /// Whether subjects of this type are sub-accounts.
    pub(super) fn is_subject_type(&self, kind: &str) -> bool {
        self.settings.subject_types.iter().any(|it| it == kind)
    }

    /// The action of this name.
    pub(super) fn action_name(&self, action: Action<'_>) -> Result<ActionName, Fault> {
        let name = action.name;
        let text = match name.contains([':', '/']) {
            true => name.to_owned(),
            false => format!("{}:{name}", self.settings.service),
        };
        ActionName::parse(&text).map_err(|fault| {
            Fault::bad(format!("`action.name` is `{}`, which {fault}", excerpt(name)))
        })
    }

    /// The resource of this type and id.
    pub(super) fn resource(&self, resource: Entity<'_>) -> Result<Resource, Fault> {
        let id = resource.id.unwrap_or_default();
        let text = if resource.kind == QCS {
            id.to_owned()
        } else if resource.kind.contains(['/', ':', '*', '$']) {
            let expected = "a type without `/`, `:`, `*` and `$`";
            return Err(Fault::kind("resource.type", expected));
        } else {
            let owner = match self.settings.account {
                0 => String::new(),
                account => format!("uin/{account}"),
            };
            format!("qcs::{}::{owner}:{}/{id}", self.settings.service, resource.kind)
        };
        Resource::parse(&text)
            .map_err(|fault| Fault::bad(format!("the resource `{}` {fault}", excerpt(&text))))
    }

    /// The facts: the context as it stands, and the properties of all three.
    pub(super) fn facts(
        context: Option<&Members>,
        subject: Entity<'_>,
        action: Option<Action<'_>>,
        resource: Entity<'_>,
    ) -> Result<Context, Fault> {
        let mut facts = Context::new();
        for (prefix, members) in [
            ("", context),
            ("authzen:subject.", subject.properties),
            ("authzen:action.", action.and_then(|action| action.properties)),
            ("authzen:resource.", resource.properties),
        ] {
            for (name, value) in members.into_iter().flatten() {
                add(&mut facts, &format!("{prefix}{name}"), value, 0)?;
            }
        }
        Ok(facts)
    }
}

/// One fact. An object's members are facts of their own, with a dot between the names; `null` is no
/// fact.
fn add(facts: &mut Context, key: &str, value: &FormValue, depth: usize) -> Result<(), Fault> {
    if depth > DEPTH_MAX {
        let key = excerpt(key);
        return Err(Fault::bad(format!("`{key}` is nested more than {DEPTH_MAX} levels deep")));
    }
    let values = match value {
        FormValue::Members(members) => {
            for (name, value) in members {
                add(facts, &format!("{key}.{name}"), value, depth + 1)?;
            }
            return Ok(());
        }
        FormValue::Null => return Ok(()),
        FormValue::List(items) => {
            items.iter().map(|item| scalar(key, item)).collect::<Result<_, _>>()?
        }
        FormValue::Flag(_) | FormValue::Number(_) | FormValue::Text(_) => vec![scalar(key, value)?],
    };
    facts.insert(key, values).map_err(|fault| Fault::bad(fault.to_string()))
}

fn scalar(key: &str, value: &FormValue) -> Result<ContextValue, Fault> {
    match value {
        FormValue::Text(text) => Ok(ContextValue::Text(text.clone())),
        FormValue::Flag(flag) => Ok(ContextValue::Bool(*flag)),
        FormValue::Number(number) => Number::parse(&number.to_string())
            .map(ContextValue::Number)
            .ok_or_else(|| Fault::kind(&excerpt(key), "a number of at most 64 digits")),
        FormValue::Null | FormValue::List(_) | FormValue::Members(_) => {
            Err(Fault::kind(&excerpt(key), "a list of texts, numbers and booleans"))
        }
    }
}
