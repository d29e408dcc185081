//! What the language needs to know about the services' actions, as a trait.
//!
//! Validation and lints ask these questions; `catalog` answers them. The trait stands here so that
//! `lang` never imports `catalog`. It must stay a set of pure look-ups: no I/O and no state.

/// What an action is asked about (design section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// Asked about one resource name.
    Resource,
    /// Asked about `*` only (spec 4.1).
    Operation,
    /// Asked about `*` or about nothing; answered with a filter.
    List,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Reads one thing.
    Read,
    /// Changes something.
    Write,
    /// Lists things of a type.
    List,
}

/// Why a grant of an action deserves a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sensitivity {
    /// It hands out or changes keys, certificates or signatures.
    Key,
    /// It exports data in bulk.
    Export,
}

/// The facts about one catalogued action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionFacts<'a> {
    /// The service's abbreviation, lower case.
    pub service: &'a str,
    /// The action's name in its catalogued spelling.
    pub name: &'a str,
    /// What it is asked about.
    pub granularity: Granularity,
    /// What it does.
    pub access: Access,
    /// Whether granting it deserves a second look.
    pub sensitive: Option<Sensitivity>,
}

/// The catalogued services and actions, as far as the language asks about them.
///
/// Every iteration is in ascending order of (service, name), so that findings are stable.
pub trait Vocabulary {
    /// Whether a catalog describes this service.
    fn knows_service(&self, service: &str) -> bool;
    /// The facts about `service:name`, compared case-sensitively (rule A-05).
    fn action(&self, service: &str, name: &str) -> Option<ActionFacts<'_>>;
    /// All actions of one service, or of all services when `None`.
    fn actions<'a>(
        &'a self,
        service: Option<&str>,
    ) -> Box<dyn Iterator<Item = ActionFacts<'a>> + 'a>;
    /// The members of the predefined action set `permid/<number>`, each `service:Name` (rule A-08).
    fn action_set(&self, number: u64) -> Option<&[String]>;
    /// Whether requests for this catalogued action can carry the condition key (canonical spelling,
    /// rule C-19); true for keys that the catalog does not speak about.
    fn can_carry(&self, service: &str, name: &str, key: &str) -> bool;
}

/// A vocabulary that knows nothing: every service and action is unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVocabulary;

impl Vocabulary for NoVocabulary {
    fn knows_service(&self, _service: &str) -> bool {
        false
    }

    fn action(&self, _service: &str, _name: &str) -> Option<ActionFacts<'_>> {
        None
    }

    fn actions<'a>(
        &'a self,
        _service: Option<&str>,
    ) -> Box<dyn Iterator<Item = ActionFacts<'a>> + 'a> {
        Box::new(std::iter::empty())
    }

    fn action_set(&self, _number: u64) -> Option<&[String]> {
        None
    }

    fn can_carry(&self, _service: &str, _name: &str, _key: &str) -> bool {
        true
    }
}
