//! The things a catalog describes: services, their actions and their resource types.
//!
//! Plain values, read-only once they stand in a `Catalog`, which only `load` can build.

use foldhash::HashMap;

use super::template::Template;
use crate::lang::vocabulary::{Access, ActionFacts, Granularity, Sensitivity};

/// A catalogued action as a dense number: its place, from 0, in the order of (service, name).
///
/// It is an index into one catalog, not an identity: adding a catalog file renumbers the actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub(super) u32);

impl ActionId {
    /// The number, as an index into a list of [`super::Catalog::len`] entries.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A text in both languages; neither is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// In Chinese.
    pub zh: Box<str>,
    /// In English.
    pub en: Box<str>,
}

/// How sure the catalog is of an action's granularity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// A document says so for this very action.
    Confirmed,
    /// It follows from what the action does.
    Inferred,
    /// The service's usual granularity is assumed.
    Default,
}

/// Where the server finds all resources of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registry {
    /// The account's registered apps.
    Apps,
}

/// One type of resource and how its names are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// The type, which is what stands before the first `/` of the last segment.
    pub name: Box<str>,
    /// What such a resource is.
    pub description: Text,
    /// Where candidates for a list come from; `None`: the server does not know them.
    pub registry: Option<Registry>,
    pub(super) template: Template,
}

impl ResourceType {
    /// The template as written, with `${owner_uin}` and `${id}`.
    #[must_use]
    pub fn template(&self) -> &str {
        self.template.text()
    }

    /// The six-segment name of the resource `id` that the root account `owner_uin` owns. Both are
    /// put in as they stand: a `$` or `*` in `id` has no meaning.
    #[must_use]
    pub fn name_of(&self, owner_uin: u64, id: &str) -> String {
        self.template.render(owner_uin, id)
    }
}

/// One catalogued action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its number in this catalog.
    pub id: ActionId,
    /// The service's abbreviation, lower case.
    pub service: Box<str>,
    /// The name in its catalogued spelling.
    pub name: Box<str>,
    /// What the action does.
    pub description: Text,
    /// Whether it reads, writes or lists.
    pub access: Access,
    /// What it is asked about.
    pub granularity: Granularity,
    /// How sure the catalog is of the granularity.
    pub basis: Basis,
    /// Why granting it deserves a second look.
    pub sensitive: Option<Sensitivity>,
    /// The type of resource it is asked about. Always set for `List`, never for `Operation`; a
    /// `Resource` action without one says why in `note`.
    pub resource_type: Option<Box<str>>,
    /// Whether its resource names carry a region.
    pub region_scoped: bool,
    /// Whether tags of the resource reach the decision.
    pub tag_support: bool,
    /// Whether the caller's address reaches the decision.
    pub ip_support: bool,
    /// Whether the request itself can carry tags.
    pub request_tags: bool,
    /// Rule D-19's exemption of a few actions of `cam`.
    pub except_cam_finance: bool,
    /// What is odd about the way the vendor writes its resource, for people.
    pub note: Option<Box<str>>,
}

impl Action {
    /// The action as policies write it: `service:Name`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }

    /// What the language needs to know about it.
    #[must_use]
    pub fn facts(&self) -> ActionFacts<'_> {
        ActionFacts {
            service: &self.service,
            name: &self.name,
            granularity: self.granularity,
            access: self.access,
            sensitive: self.sensitive,
        }
    }
}

/// One catalogued service.
#[derive(Debug, Clone)]
pub struct Service {
    /// The abbreviation, lower case: `im`.
    pub abbreviation: Box<str>,
    /// The product's name.
    pub name: Text,
    /// Where the catalog's facts come from, for people.
    pub source: Box<str>,
    /// Name spaces of condition keys that its requests can carry besides its own.
    pub key_namespaces: Vec<Box<str>>,
    pub(super) resource_types: Vec<ResourceType>,
    pub(super) first_action: usize,
    pub(super) action_count: usize,
    pub(super) action_ids: HashMap<Box<str>, ActionId>,
}

impl Service {
    /// The type of this name, if the service has it.
    #[must_use]
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types.iter().find(|it| &*it.name == name)
    }

    /// All resource types, in the order of the file.
    #[must_use]
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.resource_types
    }

    /// The number of the action of this name, compared case-sensitively (rule A-05).
    #[must_use]
    pub fn action_id(&self, name: &str) -> Option<ActionId> {
        self.action_ids.get(name).copied()
    }
}
