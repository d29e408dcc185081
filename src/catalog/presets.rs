//! The policies that ship with the program: presets, which anyone can attach, and the general
//! policies, which apply to every principal (rule D-13).
//!
//! Raw documents with what people need to know about them. Parsing them is `lang`'s part; nothing
//! here looks inside.

use std::sync::LazyLock;

use serde::Deserialize;

/// One policy that ships with the program. Its id never changes and is below 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The policy's id.
    pub id: u64,
    /// The policy's name, which is its file's stem.
    pub name: &'static str,
    /// The CAM document, as bytes.
    pub document: &'static [u8],
    /// What it grants, in Chinese.
    pub description_zh: &'static str,
    /// What it grants, in English.
    pub description_en: &'static str,
    /// Whether the vendor's own text is not public, so that this one follows its description.
    pub reconstructed: bool,
}

/// The policies that anyone can attach, ascending by id.
#[must_use]
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

/// The policies that apply to every principal without being attached, ascending by id.
#[must_use]
pub fn general_policies() -> &'static [Preset] {
    &GENERAL
}

type Documents = &'static [(&'static str, &'static [u8])];

macro_rules! documents {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../policies/", $folder, "/", $name, ".json")))),+]
    };
}

const PRESET_INDEX: &str = include_str!("../../policies/presets/index.json");
const PRESET_DOCUMENTS: Documents = documents!("presets":
    "AdministratorAccess",
    "QCloudResourceFullAccess",
    "QcloudCamFullAccess",
    "QcloudIMFullAccess",
    "QcloudIMReadOnlyAccess",
    "ReadOnlyAccess",
);

const GENERAL_INDEX: &str = include_str!("../../policies/general/index.json");
const GENERAL_DOCUMENTS: Documents = documents!("general":
    "GeneralMfaRequired",
);

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "INVARIANT (embedded indexes are valid): the data is part of the program, and \
                  the test `presets_and_their_index_agree` loads it"
    )]
    load(PRESET_INDEX, PRESET_DOCUMENTS).expect("the embedded presets agree with their index")
});

static GENERAL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "INVARIANT (embedded indexes are valid): as for the presets"
    )]
    load(GENERAL_INDEX, GENERAL_DOCUMENTS).expect("the general policies agree with their index")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index<'a> {
    /// Which kind of policies these are, for people.
    #[serde(rename = "type")]
    _kind: Kind,
    #[serde(borrow)]
    policies: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Preset,
    General,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    id: u64,
    name: &'a str,
    description: Description<'a>,
    reconstructed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description<'a> {
    zh: &'a str,
    en: &'a str,
}

/// Joins an index with its documents; an entry without a document, or the reverse, is an error.
fn load(index: &'static str, documents: Documents) -> Result<Vec<Preset>, String> {
    let index: Index<'static> = serde_json::from_str(index).map_err(|error| error.to_string())?;
    if index.policies.len() != documents.len() {
        let (entries, files) = (index.policies.len(), documents.len());
        return Err(format!("the index has {entries} entries, but there are {files} documents"));
    }
    let mut presets = Vec::with_capacity(documents.len());
    for entry in index.policies {
        let Some((name, document)) = documents.iter().find(|(name, _)| *name == entry.name) else {
            return Err(format!("the index names `{}`, which has no document", entry.name));
        };
        presets.push(Preset {
            id: entry.id,
            name,
            document,
            description_zh: entry.description.zh,
            description_en: entry.description.en,
            reconstructed: entry.reconstructed,
        });
    }
    presets.sort_by_key(|it| it.id);
    if presets.windows(2).any(|pair| matches!(pair, [a, b] if a.id == b.id || a.name == b.name)) {
        return Err("two entries of the index have the same id or name".into());
    }
    Ok(presets)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn presets_and_their_index_agree() {
        let names: Vec<_> = presets().iter().map(|it| it.name).collect();
        assert_eq!(
            names,
            [
                "AdministratorAccess",
                "ReadOnlyAccess",
                "QCloudResourceFullAccess",
                "QcloudCamFullAccess",
                "QcloudIMFullAccess",
                "QcloudIMReadOnlyAccess"
            ]
        );
        let reconstructed = presets().iter().filter(|it| it.reconstructed).map(|it| it.name);
        let expected = ["QcloudCamFullAccess", "QcloudIMFullAccess", "QcloudIMReadOnlyAccess"];
        assert_eq!(reconstructed.collect::<Vec<_>>(), expected);
        // rule D-13
        let general: Vec<_> = general_policies().iter().map(|it| it.name).collect();
        assert_eq!(general, ["GeneralMfaRequired"]);

        let all: Vec<_> = presets().iter().chain(general_policies()).collect();
        let ids: BTreeSet<_> = all.iter().map(|it| it.id).collect();
        assert_eq!(ids.len(), all.len());
        for preset in all {
            assert!((1..1_000_000).contains(&preset.id), "{}", preset.name);
            assert!(!preset.description_zh.is_ascii(), "{}", preset.name);
            assert!(preset.description_en.is_ascii(), "{}", preset.name);
            let document: serde_json::Value = serde_json::from_slice(preset.document).unwrap();
            assert_eq!(document["version"], "2.0", "{}", preset.name);
        }
    }

    #[test]
    fn every_policy_file_is_embedded() {
        for (folder, embedded) in [("presets", presets()), ("general", general_policies())] {
            let path =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(folder);
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
                if stem != "index" {
                    let preset = embedded.iter().find(|it| it.name == stem).expect(&stem);
                    assert_eq!(std::fs::read(path).unwrap(), preset.document);
                }
            }
        }
    }
}
