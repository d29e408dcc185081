//! The catalog itself: every service and action, with fast look-ups and a stable order.
//!
//! Built whole from checked parts and never changed; a catalog with one more file is another
//! catalog. Hash maps are for look-ups only: every iteration is in the order of (service, name).

use std::sync::LazyLock;

use foldhash::HashMap;
use smallvec::SmallVec;

use super::error::CatalogError;
use super::service::{Action, ActionId, Service};
use super::{keys, limits, load, suggest};
use crate::lang::action::ActionRef;
use crate::lang::vocabulary::{ActionFacts, Granularity, Vocabulary};

/// The files that ship with the program, by name.
const BUILTIN_FILES: [(&str, &[u8]); 3] = [
    ("cam.json", include_bytes!("../../policies/catalog/cam.json")),
    ("im.json", include_bytes!("../../policies/catalog/im.json")),
    ("sts.json", include_bytes!("../../policies/catalog/sts.json")),
];

static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "INVARIANT (builtin catalogs are valid): the data is part of the program, and \
                  the test `builtin_has_the_documented_actions` loads it"
    )]
    Catalog::parse(&BUILTIN_FILES).expect("the embedded catalogs are valid")
});

/// What is known of an action by its whole name: all that most requests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub id: ActionId,
    /// What it is asked about.
    pub granularity: Granularity,
    /// Where the colon stands in its whole name, in bytes.
    colon: usize,
}

impl Known {
    /// The name in the text that was looked up.
    #[inline]
    pub(crate) fn name<'t>(&self, text: &'t str) -> ActionRef<'t> {
        ActionRef::of_checked(text, self.colon)
    }
}

/// All catalogued services and their actions.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Ascending by abbreviation.
    services: Vec<Service>,
    service_indexes: HashMap<Box<str>, usize>,
    /// Ascending by (service, name); the place is the action's id.
    actions: Vec<Action>,
    /// By name; actions of different services may share one.
    by_name: HashMap<Box<str>, SmallVec<[ActionId; 1]>>,
    /// By `service:Name`.
    by_text: HashMap<Box<str>, Known>,
    /// By `service:Name` in lower case; no two actions share one.
    folded: HashMap<Box<str>, ActionId>,
    action_sets: HashMap<u64, Vec<String>>,
}

impl Catalog {
    /// The catalog that ships with the program: `cam`, `im` and `sts`.
    #[must_use]
    pub fn builtin() -> &'static Catalog {
        &BUILTIN
    }

    /// Builds a catalog from files, each with a name for errors and its bytes; one file describes
    /// one service.
    ///
    /// # Errors
    /// The first fault met, in the order of the files.
    pub fn parse(files: &[(&str, &[u8])]) -> Result<Self, CatalogError> {
        Self::default().extended(files)
    }

    /// This catalog and one more file, for a service of the operator's own. The numbers of actions
    /// change, so only ids of the new catalog fit the new catalog.
    ///
    /// # Errors
    /// As [`Catalog::parse`]; a service that is already described is a duplicate.
    pub fn with(&self, name: &str, bytes: &[u8]) -> Result<Self, CatalogError> {
        self.clone().extended(&[(name, bytes)])
    }

    /// The service with this abbreviation.
    #[must_use]
    pub fn service(&self, abbreviation: &str) -> Option<&Service> {
        self.service_indexes.get(abbreviation).and_then(|index| self.services.get(*index))
    }

    /// All services, ascending by abbreviation.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }

    /// The actions of one service, ascending by name; none for an unknown service.
    #[must_use]
    pub fn actions_of(&self, service: &str) -> &[Action] {
        let range = |it: &Service| {
            self.actions.get(it.first_action..it.first_action.saturating_add(it.action_count))
        };
        self.service(service).and_then(range).unwrap_or_default()
    }

    /// All actions in the order of their ids.
    #[must_use]
    pub fn all_actions(&self) -> &[Action] {
        &self.actions
    }

    /// The action `service:name`, compared case-sensitively (rule A-05).
    #[must_use]
    pub fn action(&self, service: &str, name: &str) -> Option<&Action> {
        self.action_by_id(self.action_id(service, name)?)
    }

    /// The number of the action `service:name`, compared case-sensitively (rule A-05).
    #[must_use]
    pub fn action_id(&self, service: &str, name: &str) -> Option<ActionId> {
        let ids = self.by_name.get(name)?.iter().copied();
        ids.into_iter()
            .find(|id| self.action_by_id(*id).is_some_and(|action| *action.service == *service))
    }

    /// What is known of the action of this name, written `service:Name`; without allocating.
    #[inline]
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Known> {
        self.by_text.get(text)
    }

    /// The action of this number; `None` when the id is another catalog's.
    #[must_use]
    pub fn action_by_id(&self, id: ActionId) -> Option<&Action> {
        self.actions.get(id.index())
    }

    /// How many actions there are; ids are below it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there are no actions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The catalogued action that differs from `service:name` only in (ASCII) case, and is not
    /// equal to it (rules A-05 and D-18).
    #[must_use]
    pub fn case_twin(&self, service: &str, name: &str) -> Option<&Action> {
        if self.action_id(service, name).is_some() {
            return None;
        }
        let folded = format!("{service}:{name}").to_ascii_lowercase();
        self.action_by_id(*self.folded.get(folded.as_str())?)
    }

    /// The catalogued spelling, `service:Name`, that is nearest to `service:name`, if one is near
    /// enough to be meant.
    #[must_use]
    pub fn nearest(&self, service: &str, name: &str) -> Option<String> {
        suggest::nearest(self, service, name)
    }

    fn extended(mut self, files: &[(&str, &[u8])]) -> Result<Self, CatalogError> {
        let mut sets = Vec::new();
        for (file, bytes) in files {
            let part = load::part(file, bytes)?;
            let name = part.service.abbreviation.clone();
            let duplicate =
                |what, name| CatalogError::Duplicate { file: (*file).into(), what, name };
            if self.services.iter().any(|it| it.abbreviation == name) {
                return Err(duplicate("service", name.into()));
            }
            self.services.push(part.service);
            self.actions.extend(part.actions);
            check_total(file, "services", self.services.len(), limits::SERVICES_MAX)?;
            check_total(file, "actions", self.actions.len(), limits::ACTIONS_MAX)?;
            for set in part.action_sets {
                sets.push((*file, set.permid, set.actions.clone()));
                if self.action_sets.insert(set.permid, set.actions).is_some() {
                    return Err(duplicate("action set", set.permid.to_string()));
                }
            }
        }
        self.reindex();
        for (file, permid, actions) in sets {
            self.check_action_set(file, permid, &actions)?;
        }
        Ok(self)
    }

    /// Sorts, numbers the actions and makes the look-ups.
    fn reindex(&mut self) {
        self.services.sort_by(|a, b| a.abbreviation.cmp(&b.abbreviation));
        self.actions.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
        self.folded.clear();
        self.by_name.clear();
        self.by_text.clear();
        for (id, action) in (0..).zip(&mut self.actions) {
            action.id = ActionId(id);
            let text = action.qualified_name();
            self.folded.insert(text.to_ascii_lowercase().into(), action.id);
            // The catalog's limits keep names far below 2^16 bytes.
            let colon = action.service.len();
            let known = Known { id: action.id, granularity: action.granularity, colon };
            self.by_text.insert(text.into(), known);
            self.by_name.entry(action.name.clone()).or_default().push(action.id);
        }
        self.service_indexes.clear();
        for (index, service) in self.services.iter_mut().enumerate() {
            self.service_indexes.insert(service.abbreviation.clone(), index);
            let name = &service.abbreviation;
            service.first_action = self.actions.partition_point(|it| it.service < *name);
            let of_service = |it: &&Action| it.service == *name;
            let actions = self.actions.iter().skip(service.first_action).take_while(of_service);
            service.action_ids = actions.map(|it| (it.name.clone(), it.id)).collect();
            service.action_count = service.action_ids.len();
        }
    }

    fn check_action_set(
        &self,
        file: &str,
        permid: u64,
        actions: &[String],
    ) -> Result<(), CatalogError> {
        for (index, member) in actions.iter().enumerate() {
            let known = member.split_once(':').and_then(|(s, n)| self.action_id(s, n));
            let (file, action) = (file.to_owned(), member.clone());
            if known.is_none() {
                return Err(CatalogError::UnknownInSet { file, permid, action });
            }
            if actions.iter().take(index).any(|it| it == member) {
                let what = "action in a set,";
                return Err(CatalogError::Duplicate { file, what, name: action });
            }
        }
        Ok(())
    }
}

impl Vocabulary for Catalog {
    fn knows_service(&self, service: &str) -> bool {
        self.service(service).is_some()
    }

    fn action(&self, service: &str, name: &str) -> Option<ActionFacts<'_>> {
        Catalog::action(self, service, name).map(Action::facts)
    }

    fn actions<'a>(
        &'a self,
        service: Option<&str>,
    ) -> Box<dyn Iterator<Item = ActionFacts<'a>> + 'a> {
        let actions = service.map_or(self.all_actions(), |it| self.actions_of(it));
        Box::new(actions.iter().map(Action::facts))
    }

    fn action_set(&self, number: u64) -> Option<&[String]> {
        self.action_sets.get(&number).map(Vec::as_slice)
    }

    fn can_carry(&self, service: &str, name: &str, key: &str) -> bool {
        match (self.service(service), Catalog::action(self, service, name)) {
            (Some(service), Some(action)) => keys::can_carry(service, action, key),
            // The catalog does not speak about actions it does not describe (rule A-07).
            (Some(_) | None, None) | (None, Some(_)) => true,
        }
    }
}

fn check_total(file: &str, what: &str, actual: usize, limit: usize) -> Result<(), CatalogError> {
    if actual <= limit {
        return Ok(());
    }
    let (file, what) = (file.into(), format!("the catalog's list of {what}"));
    Err(CatalogError::TooMany { file, what, actual, limit })
}
