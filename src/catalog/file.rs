//! The catalog file, member for member: the only place that knows its JSON.
//!
//! Unknown members, members that occur twice and nulls are refused. No meaning is checked here;
//! that is `load`'s part. `policies/catalog/catalog.schema.json` describes the same file.

use serde::{Deserialize, Deserializer};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogFile {
    /// For editors only.
    #[serde(rename = "$schema", default)]
    _schema: String,
    pub(super) service: String,
    pub(super) name: TextFile,
    pub(super) source: String,
    pub(super) tag_support: bool,
    pub(super) ip_support: bool,
    #[serde(default)]
    pub(super) key_namespaces: Vec<String>,
    #[serde(default)]
    pub(super) resource_types: Vec<ResourceTypeFile>,
    #[serde(default)]
    pub(super) action_sets: Vec<ActionSetFile>,
    pub(super) actions: Vec<ActionFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextFile {
    pub(super) zh: String,
    pub(super) en: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceTypeFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) description: TextFile,
    pub(super) template: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) registry: Option<RegistryFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActionSetFile {
    pub(super) permid: u64,
    pub(super) actions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActionFile {
    pub(super) name: String,
    pub(super) description: TextFile,
    pub(super) access: AccessFile,
    pub(super) granularity: GranularityFile,
    #[serde(default, deserialize_with = "present")]
    pub(super) resource_type: Option<String>,
    pub(super) basis: BasisFile,
    #[serde(default, deserialize_with = "present")]
    pub(super) sensitive: Option<SensitiveFile>,
    #[serde(default)]
    pub(super) region_scoped: bool,
    #[serde(default, deserialize_with = "present")]
    pub(super) tag_support: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub(super) ip_support: Option<bool>,
    #[serde(default)]
    pub(super) request_tags: bool,
    #[serde(default)]
    pub(super) except_cam_finance: bool,
    #[serde(default, deserialize_with = "present")]
    pub(super) note: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AccessFile {
    Read,
    Write,
    List,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GranularityFile {
    Resource,
    Operation,
    List,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BasisFile {
    Confirmed,
    Inferred,
    Default,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SensitiveFile {
    Key,
    Export,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RegistryFile {
    Apps,
}

/// An optional member that, when it is there, must hold a value: null is refused.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
