//! A JSON Schema for policy documents, for editors and other tools (draft 2020-12).
//!
//! It is made from the tables that the parser itself uses: operators, general keys, limits. It sees
//! less than the parser: repeated keys, lengths in bytes, owners and catalogs are beyond a schema.
//! It must never refuse what the parser accepts.

use serde_json::{Map, Value, json};

use super::condition::{Kind, MFA, Operator, RESOURCE_TAG};
use super::document::DocumentKind;
use super::limits::{ACTION_BYTES_MAX, CONDITION_KEY_BYTES_MAX, RESOURCE_BYTES_MAX};
use super::validate::{Family, GENERAL_KEYS};
use super::variable::Variable;

/// The schema of one kind of document.
#[must_use]
pub fn schema(kind: DocumentKind) -> Value {
    let mut definitions = Map::new();
    definitions.insert("policy".to_owned(), policy());
    definitions.insert("statement".to_owned(), statement(kind));
    definitions.insert("action".to_owned(), action());
    definitions.insert("condition".to_owned(), condition());
    match kind {
        DocumentKind::Identity => definitions.insert("resource".to_owned(), resource()),
        DocumentKind::Trust => definitions.insert("principal".to_owned(), principal()),
    };
    for shape in Shape::ALL {
        definitions.insert(shape.keys_name().to_owned(), shape.keys());
        definitions.insert(shape.value_name().to_owned(), shape.value());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": match kind {
            DocumentKind::Identity => "CAM policy",
            DocumentKind::Trust => "CAM trust policy",
        },
        "type": "object",
        "if": { "required": ["strategyInfo"] },
        "then": {
            "properties": { "strategyInfo": { "$ref": "#/$defs/policy" } },
            "additionalProperties": false,
        },
        "else": { "$ref": "#/$defs/policy" },
        "$defs": definitions,
    })
}

fn policy() -> Value {
    json!({
        "type": "object",
        "properties": {
            "version": { "const": "2.0" },
            "statement": {
                "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/statement" },
            },
        },
        "required": ["version", "statement"],
        "additionalProperties": false,
    })
}

fn statement(kind: DocumentKind) -> Value {
    let mut properties = Map::new();
    properties.insert("effect".to_owned(), json!({ "enum": ["allow", "deny"] }));
    properties.insert("action".to_owned(), one_or_more("action"));
    properties.insert("condition".to_owned(), json!({ "$ref": "#/$defs/condition" }));
    let required = match kind {
        DocumentKind::Identity => {
            properties.insert("resource".to_owned(), one_or_more("resource"));
            ["effect", "action", "resource"]
        }
        DocumentKind::Trust => {
            properties.insert("principal".to_owned(), json!({ "$ref": "#/$defs/principal" }));
            ["effect", "action", "principal"]
        }
    };
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A value of a definition, or a list of one or more (rule L-07).
fn one_or_more(definition: &str) -> Value {
    let entry = json!({ "$ref": format!("#/$defs/{definition}") });
    json!({
        "if": { "type": "array" },
        "then": { "type": "array", "minItems": 1, "items": entry.clone() },
        "else": entry,
    })
}

fn action() -> Value {
    json!({
        "type": "string",
        "description": "`*`, `service:Name`, `name/service:Name` or `permid/number`; `*` in names",
        "maxLength": ACTION_BYTES_MAX,
        "pattern":
            r"^(\*|permid/[0-9]{1,}|(name/)?(\*|[a-z0-9_-]+):[A-Za-z0-9_.*-]+)$",
    })
}

fn resource() -> Value {
    let segments = concat!(
        r"qcs::[a-z0-9_*-]*:[a-z0-9*-]*:(\*|uin/\*|uin/|(uin|uid)/[1-9][0-9]*)?:",
        r"[^\u0000-\u001f\u007f-\u009f]+"
    );
    json!({
        "type": "string",
        "description": "`*` or `qcs::service:region:account:resource`",
        "maxLength": RESOURCE_BYTES_MAX,
        "pattern": format!("^(?!{})(\\*|{segments})$", wrong_variable()),
    })
}

/// Looks ahead for `${` that begins no variable (rule V-02).
fn wrong_variable() -> String {
    format!(r"[\s\S]*\$\{{(?!({})\}})", variable_names())
}

fn variable_names() -> String {
    Variable::ALL.map(Variable::name).join("|")
}

fn principal() -> Value {
    let names = |pattern: &str| {
        let name = json!({ "type": "string", "pattern": pattern });
        json!({
            "if": { "type": "array" },
            "then": { "type": "array", "minItems": 1, "items": name.clone() },
            "else": name,
        })
    };
    let identity = concat!(
        r"^qcs::cam::(anyone:anyone|uin/[1-9][0-9]*:",
        r"(root|(uin|groupid|role)/[0-9]+|roleName/[^*]+))$"
    );
    json!({
        "if": { "type": "string" },
        "then": { "const": "*" },
        "else": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                "qcs": names(identity),
                "service": names(r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"),
                "federated": names(r"^qcs::cam::uin/[1-9][0-9]*:(oidc|saml)-provider/[^*]+$"),
            },
            "additionalProperties": false,
        },
    })
}

fn condition() -> Value {
    let operators: Map<String, Value> = Operator::all()
        .iter()
        .map(|operator| {
            let keys = Shape::of(operator.kind).keys_name();
            (operator.to_string(), json!({ "$ref": format!("#/$defs/{keys}") }))
        })
        .collect();
    json!({ "type": "object", "properties": operators, "additionalProperties": false })
}

/// The kinds of operators that differ in the keys or the values they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `string_equal` and its negation, under which MFA is a number (rule C-18).
    Exact,
    /// The other string operators.
    Text,
    Binary,
    Number,
    Date,
    Bool,
    Ip,
    Null,
}

impl Shape {
    const ALL: [Self; 8] = [
        Self::Exact,
        Self::Text,
        Self::Binary,
        Self::Number,
        Self::Date,
        Self::Bool,
        Self::Ip,
        Self::Null,
    ];

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::String => Self::Exact,
            Kind::StringIgnoreCase | Kind::StringLike => Self::Text,
            Kind::Binary => Self::Binary,
            Kind::Numeric(_) => Self::Number,
            Kind::Date(_) => Self::Date,
            Kind::Bool => Self::Bool,
            Kind::Ip => Self::Ip,
            Kind::Null => Self::Null,
        }
    }

    fn family(self) -> Option<Family> {
        match self {
            Self::Exact | Self::Text => Some(Family::String),
            Self::Date => Some(Family::Date),
            Self::Ip => Some(Family::Ip),
            Self::Binary | Self::Number | Self::Bool | Self::Null => None,
        }
    }

    fn keys_name(self) -> &'static str {
        match self {
            Self::Exact => "exact_string_keys",
            Self::Text => "string_keys",
            Self::Binary => "binary_keys",
            Self::Number => "number_keys",
            Self::Date => "date_keys",
            Self::Bool => "boolean_keys",
            Self::Ip => "address_keys",
            Self::Null => "null_keys",
        }
    }

    fn value_name(self) -> &'static str {
        match self {
            Self::Exact | Self::Text | Self::Binary => "text",
            Self::Number => "number",
            Self::Date => "date",
            Self::Bool | Self::Null => "boolean",
            Self::Ip => "address",
        }
    }

    /// The keys under an operator, each with one or more values (rules C-16, C-18).
    fn keys(self) -> Value {
        let mut properties = Map::new();
        let mut patterns = Map::new();
        for (key, family) in GENERAL_KEYS {
            if self.family() != Some(family) {
                properties.insert(key.to_owned(), Value::Bool(false));
                if key == RESOURCE_TAG {
                    properties.insert("qcs:tag".to_owned(), Value::Bool(false));
                    patterns.insert(r"^qcs:tag/[\s\S]".to_owned(), Value::Bool(false));
                }
            }
        }
        if self == Self::Exact {
            for key in [MFA, "mfa"] {
                properties.insert(key.to_owned(), one_or_more(Self::Number.value_name()));
            }
        }
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": {
                "maxLength": CONDITION_KEY_BYTES_MAX,
                "pattern":
                    concat!(
                        r"^(?!\s)(?![\s\S]*\$\{)[^\u0000-\u001f\u007f-\u009f]*",
                        r"[^\s\u0000-\u001f\u007f-\u009f]$",
                    ),
            },
            "properties": properties,
            "patternProperties": patterns,
            "additionalProperties": one_or_more(self.value_name()),
        })
    }

    fn value(self) -> Value {
        let text = format!(r"^(?!{})", wrong_variable());
        match self {
            Self::Exact | Self::Text | Self::Binary => {
                json!({ "type": ["string", "number", "boolean"], "pattern": text })
            }
            Self::Number => {
                let number = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?";
                let variables = format!(r"(\$\{{({})\}})+", variable_names());
                json!({
                    "type": ["string", "number"], "pattern": format!("^({number}|{variables})$"),
                })
            }
            Self::Date => {
                let day = r"[0-9]{4}-[0-9]{2}-[0-9]{2}";
                let time = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?";
                let zone = r"(Z|[+-][0-9]{2}:[0-9]{2})";
                json!({
                    "type": "string", "pattern": format!("^{day}(T{time}{zone}| {time})$"),
                })
            }
            Self::Bool | Self::Null => json!({ "enum": [true, false, "true", "false"] }),
            Self::Ip => {
                json!({ "type": "string", "pattern": r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$" })
            }
        }
    }
}
