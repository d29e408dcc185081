//! The description of the API: every action with its fields and types, as data.
//!
//! `api/cam.json` and `api/sts.json` are the one place that states names, types, limits and what is
//! not built; the decoder, the check of answers, and the table in the documents all follow them.
//! Nothing here may know how an action is done.

use serde::Deserialize;

/// The services' descriptions, as embedded.
const TEXTS: [&str; 2] = [include_str!("api/cam.json"), include_str!("api/sts.json")];

/// One service of the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name in signatures and action names, e.g. `cam`.
    pub service: String,
    /// Its version, e.g. `2019-01-16`.
    pub version: String,
    /// Its actions, in the order of the manual.
    pub actions: Vec<Action>,
    /// What fields of actions are made of.
    pub structures: Vec<Structure>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its name, e.g. `CreatePolicy`.
    pub name: String,
    /// The chapter of the manual that it stands in.
    pub family: String,
    /// How much it matters: `T1`, `T2`; none for what is not built.
    #[serde(default)]
    pub tier: Option<String>,
    /// Why it is not built; none when it is.
    #[serde(default)]
    pub unsupported: Option<String>,
    /// The fields of a request.
    pub request: Vec<Field>,
    /// Groups of fields; of each at least one must be given.
    #[serde(default)]
    pub any_of: Vec<Vec<String>>,
    /// Groups of fields; of each exactly one must be given.
    #[serde(default)]
    pub one_of: Vec<Vec<String>>,
    /// The fields of an answer, beside `RequestId`.
    pub response: Vec<Field>,
}

/// One structure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// One field of a request, an answer or a structure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What one value of it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it is a list of such values.
    #[serde(default)]
    pub list: bool,
    /// Whether a request must have it.
    #[serde(default)]
    pub required: bool,
    /// Whether it may be null in an answer.
    #[serde(default)]
    pub null: bool,
    /// The least accepted number.
    #[serde(default)]
    pub min: Option<u64>,
    /// The greatest accepted number.
    #[serde(default)]
    pub max: Option<u64>,
    /// Most items of a list.
    #[serde(default)]
    pub max_items: Option<usize>,
    /// The accepted texts; any when empty.
    #[serde(default)]
    pub values: Vec<String>,
    /// The code for a number or text that is not accepted, where it is not the usual one.
    #[serde(default)]
    pub error: Option<String>,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Kind {
    /// A text.
    String,
    /// A whole number from 0 up; in requests also as text.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// The structure with this name.
    Structure(String),
}

impl From<String> for Kind {
    fn from(word: String) -> Self {
        match word.as_str() {
            "string" => Self::String,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            _ => Self::Structure(word),
        }
    }
}

/// The embedded description cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the description of the API cannot be read: {0}")]
pub struct DescriptionError(#[from] serde_json::Error);

/// All services of the API: `cam`, then `sts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The services.
    pub services: Vec<Service>,
}

impl Description {
    /// Reads the embedded description.
    ///
    /// # Errors
    /// When it is damaged, which the tests of this repository exclude.
    pub fn embedded() -> Result<Self, DescriptionError> {
        let services = TEXTS.iter().map(|text| serde_json::from_str(text));
        Ok(Self { services: services.collect::<Result<_, _>>()? })
    }

    /// The service with this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|it| it.service == name)
    }
}

impl Service {
    /// The action with this name, compared exactly.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|it| it.name == name)
    }

    /// The structure with this name.
    #[must_use]
    pub fn structure(&self, name: &str) -> Option<&Structure> {
        self.structures.iter().find(|it| it.name == name)
    }
}
