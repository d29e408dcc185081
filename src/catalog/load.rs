//! From the bytes of one catalog file to checked services and actions.
//!
//! Strict: whatever is unknown, double, empty, too large or contradictory is refused, so that what
//! stands in a `Catalog` needs no further checks. What concerns several files is `index`'s part.

use foldhash::HashMap;

use super::error::CatalogError;
use super::file::{
    AccessFile, ActionFile, ActionSetFile, BasisFile, CatalogFile, GranularityFile, RegistryFile,
    ResourceTypeFile, SensitiveFile, TextFile,
};
use super::limits;
use super::service::{Action, ActionId, Basis, Registry, ResourceType, Service, Text};
use super::template::Template;
use crate::lang::vocabulary::{Access, Granularity, Sensitivity};

/// What one file describes; the actions have no numbers yet.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) service: Service,
    pub(super) actions: Vec<Action>,
    pub(super) action_sets: Vec<ActionSetFile>,
}

/// Reads one file; `file` is its name in errors.
pub(super) fn part(file: &str, bytes: &[u8]) -> Result<Part, CatalogError> {
    let loader = Loader { file };
    if bytes.len() > limits::CATALOG_BYTES_MAX {
        return Err(CatalogError::FileTooLarge {
            file: file.into(),
            actual: bytes.len(),
            limit: limits::CATALOG_BYTES_MAX,
        });
    }
    let parsed: CatalogFile = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        let message = error.to_string();
        let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
        CatalogError::Malformed { file: file.into(), line, column, message }
    })?;
    loader.part(parsed)
}

struct Loader<'a> {
    file: &'a str,
}

impl Loader<'_> {
    fn part(&self, parsed: CatalogFile) -> Result<Part, CatalogError> {
        self.check_counts(&parsed)?;
        self.check_lower_case_name("service", &parsed.service)?;
        for namespace in &parsed.key_namespaces {
            self.check_lower_case_name("key name space", namespace)?;
        }
        let mut service = Service {
            abbreviation: parsed.service.as_str().into(),
            name: self.text("the service's name", parsed.name)?,
            source: self.line("`source`", parsed.source)?,
            key_namespaces: parsed.key_namespaces.into_iter().map(Into::into).collect(),
            resource_types: Vec::new(),
            first_action: 0,
            action_count: 0,
            action_ids: HashMap::default(),
        };
        for resource_type in parsed.resource_types {
            let resource_type = self.resource_type(resource_type)?;
            if service.resource_type(&resource_type.name).is_some() {
                return Err(self.duplicate("resource type", &resource_type.name));
            }
            service.resource_types.push(resource_type);
        }
        let support = Support { tags: parsed.tag_support, ip: parsed.ip_support };
        let actions = self.actions(parsed.actions, &service, support)?;
        Ok(Part { service, actions, action_sets: parsed.action_sets })
    }

    fn check_counts(&self, parsed: &CatalogFile) -> Result<(), CatalogError> {
        let sets = &parsed.action_sets;
        let types = parsed.resource_types.len();
        self.check_count("`actions`", parsed.actions.len(), limits::ACTIONS_PER_SERVICE_MAX)?;
        self.check_count("`resource_types`", types, limits::RESOURCE_TYPES_PER_SERVICE_MAX)?;
        let namespaces = parsed.key_namespaces.len();
        self.check_count("`key_namespaces`", namespaces, limits::KEY_NAMESPACES_PER_SERVICE_MAX)?;
        self.check_count("`action_sets`", sets.len(), limits::ACTION_SETS_PER_SERVICE_MAX)?;
        for set in sets {
            let what = format!("action set {}", set.permid);
            self.check_count(&what, set.actions.len(), limits::ACTIONS_PER_SET_MAX)?;
        }
        Ok(())
    }

    fn resource_type(&self, parsed: ResourceTypeFile) -> Result<ResourceType, CatalogError> {
        let name = parsed.kind;
        self.check_name("resource type", &name)?;
        let what = format!("the template of resource type `{name}`, in bytes,");
        self.check_count(&what, parsed.template.len(), limits::TEMPLATE_BYTES_MAX)?;
        let template = Template::parse(&parsed.template, &name).map_err(|message| {
            CatalogError::BadTemplate {
                file: self.file.into(),
                resource_type: name.clone(),
                template: parsed.template.clone(),
                message,
            }
        })?;
        Ok(ResourceType {
            description: self.text(&format!("resource type `{name}`"), parsed.description)?,
            name: name.into(),
            registry: parsed.registry.map(|RegistryFile::Apps| Registry::Apps),
            template,
        })
    }

    fn actions(
        &self,
        parsed: Vec<ActionFile>,
        service: &Service,
        support: Support,
    ) -> Result<Vec<Action>, CatalogError> {
        let mut actions = Vec::with_capacity(parsed.len());
        let mut spellings: HashMap<String, String> = HashMap::default();
        for action in parsed {
            let name = action.name.clone();
            actions.push(self.action(action, service, support)?);
            let Some(first) = spellings.insert(name.to_ascii_lowercase(), name.clone()) else {
                continue;
            };
            if first == name {
                return Err(self.duplicate("action", &name));
            }
            return Err(CatalogError::CaseClash { file: self.file.into(), first, second: name });
        }
        actions.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(actions)
    }

    fn action(
        &self,
        parsed: ActionFile,
        service: &Service,
        support: Support,
    ) -> Result<Action, CatalogError> {
        self.check_name("action", &parsed.name)?;
        if let Err(message) = check_members(&parsed, service) {
            let action = format!("{}:{}", service.abbreviation, parsed.name);
            return Err(CatalogError::BadAction { file: self.file.into(), action, message });
        }
        let note = |it| self.line(&format!("`note` of action `{}`", parsed.name), it);
        let note = parsed.note.map(note).transpose()?;
        Ok(Action {
            id: ActionId(0),
            service: service.abbreviation.clone(),
            description: self.text(&format!("action `{}`", parsed.name), parsed.description)?,
            name: parsed.name.into(),
            access: match parsed.access {
                AccessFile::Read => Access::Read,
                AccessFile::Write => Access::Write,
                AccessFile::List => Access::List,
            },
            granularity: match parsed.granularity {
                GranularityFile::Resource => Granularity::Resource,
                GranularityFile::Operation => Granularity::Operation,
                GranularityFile::List => Granularity::List,
            },
            basis: match parsed.basis {
                BasisFile::Confirmed => Basis::Confirmed,
                BasisFile::Inferred => Basis::Inferred,
                BasisFile::Default => Basis::Default,
            },
            sensitive: parsed.sensitive.map(|it| match it {
                SensitiveFile::Key => Sensitivity::Key,
                SensitiveFile::Export => Sensitivity::Export,
            }),
            resource_type: parsed.resource_type.map(Into::into),
            region_scoped: parsed.region_scoped,
            tag_support: parsed.tag_support.unwrap_or(support.tags),
            ip_support: parsed.ip_support.unwrap_or(support.ip),
            request_tags: parsed.request_tags,
            except_cam_finance: parsed.except_cam_finance,
            note,
        })
    }

    fn text(&self, what: &str, parsed: TextFile) -> Result<Text, CatalogError> {
        Ok(Text {
            zh: self.line(&format!("`zh` of {what}"), parsed.zh)?,
            en: self.line(&format!("`en` of {what}"), parsed.en)?,
        })
    }

    fn line(&self, what: &str, text: String) -> Result<Box<str>, CatalogError> {
        if text.trim().is_empty() {
            return Err(CatalogError::EmptyText { file: self.file.into(), what: what.into() });
        }
        self.check_count(&format!("{what}, in bytes,"), text.len(), limits::TEXT_BYTES_MAX)?;
        Ok(text.into())
    }

    fn check_count(&self, what: &str, actual: usize, limit: usize) -> Result<(), CatalogError> {
        if actual <= limit {
            return Ok(());
        }
        let (file, what) = (self.file.into(), what.into());
        Err(CatalogError::TooMany { file, what, actual, limit })
    }

    fn check_name(&self, what: &'static str, name: &str) -> Result<(), CatalogError> {
        let known = |it: char| it.is_ascii_alphanumeric() || "_-.".contains(it);
        if name.starts_with(|it: char| it.is_ascii_alphabetic())
            && name.chars().all(known)
            && name.len() <= limits::NAME_BYTES_MAX
        {
            return Ok(());
        }
        let expected = "a letter, then letters, digits, `_`, `-` and `.`, at most 128 in all";
        Err(CatalogError::BadName { file: self.file.into(), what, name: name.into(), expected })
    }

    /// A service's abbreviation (rule A-06), or a name space of condition keys.
    fn check_lower_case_name(&self, what: &'static str, name: &str) -> Result<(), CatalogError> {
        let known = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        if name.starts_with(|it: char| it.is_ascii_lowercase())
            && name.chars().all(known)
            && name.len() <= limits::SERVICE_BYTES_MAX
            && !["qcs", "authzen"].contains(&name)
        {
            return Ok(());
        }
        let expected = "a lower-case letter, then lower-case letters, digits and `-`, at \
                        most 32 in all, but neither `qcs` nor `authzen`";
        Err(CatalogError::BadName { file: self.file.into(), what, name: name.into(), expected })
    }

    fn duplicate(&self, what: &'static str, name: &str) -> CatalogError {
        CatalogError::Duplicate { file: self.file.into(), what, name: name.into() }
    }
}

/// The service's values for actions that do not say.
#[derive(Clone, Copy)]
struct Support {
    tags: bool,
    ip: bool,
}

/// Whether an action's members fit together; the error completes "action `x` …".
fn check_members(action: &ActionFile, service: &Service) -> Result<(), String> {
    let resource_type = match &action.resource_type {
        None => None,
        Some(name) => Some(service.resource_type(name).ok_or_else(|| {
            format!("has the resource type `{name}`; describe it under `resource_types`")
        })?),
    };
    match action.granularity {
        GranularityFile::Resource => {
            if resource_type.is_none() && action.note.is_none() {
                return Err("has granularity `resource` but no `resource_type`; name it, or say \
                            in `note` why there is none"
                    .into());
            }
        }
        GranularityFile::Operation => {
            if resource_type.is_some() || action.region_scoped || action.tag_support == Some(true) {
                return Err("has granularity `operation`, so it is asked about `*` and takes no \
                            `resource_type`, `region_scoped` or `tag_support`"
                    .into());
            }
        }
        GranularityFile::List => {
            if resource_type.and_then(|it| it.registry).is_none() {
                return Err("has granularity `list`; it needs a `resource_type` that has a \
                            `registry`, where the candidates come from"
                    .into());
            }
            if !matches!(action.access, AccessFile::List) {
                return Err("has granularity `list`; its `access` must be `list` too".into());
            }
        }
    }
    if action.except_cam_finance && &*service.abbreviation != "cam" {
        return Err("sets `except_cam_finance`, which is for actions of `cam` only".into());
    }
    Ok(())
}
