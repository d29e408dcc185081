//! Condition texts: operators, keys, and values of the operator's type (rules C-10 to C-20).

use super::{CheckedCondition, Condition, ErrorCode, Finding, Findings, excerpt, nearest};
use super::{Spanned, text_error};
use crate::lang::condition::{ConditionKey, Kind, Operand, OperandFault, Operator, RESOURCE_TAG};
use crate::lang::document::{ConditionText, Scalar};
use crate::lang::limits::{CONDITION_KEY_BYTES_MAX, NUMBER_DIGITS_MAX, NUMBER_EXPONENT_MAX};
use crate::lang::number::Number;

/// The families of operators that a general key may be tested with (rule C-16, 598/58420).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang) enum Family {
    /// The six string operators, without `binary_equal`.
    String,
    /// The six date operators.
    Date,
    /// The two address operators.
    Ip,
}

/// The general keys whose operators are restricted, in canonical spelling.
pub(in crate::lang) const GENERAL_KEYS: [(&str, Family); 4] = [
    (RESOURCE_TAG, Family::String),
    ("qcs:request_tag", Family::String),
    ("qcs:current_time", Family::Date),
    ("qcs:ip", Family::Ip),
];

impl Family {
    /// Whether an operator of this kind belongs to the family.
    pub(in crate::lang) fn has(self, kind: Kind) -> bool {
        match kind {
            Kind::String | Kind::StringIgnoreCase | Kind::StringLike => self == Self::String,
            Kind::Date(_) => self == Self::Date,
            Kind::Ip => self == Self::Ip,
            Kind::Numeric(_) | Kind::Bool | Kind::Binary | Kind::Null => false,
        }
    }

    fn operators(self) -> &'static str {
        match self {
            Self::String => "a `string_…` operator",
            Self::Date => "a `date_…` operator",
            Self::Ip => "`ip_equal` or `ip_not_equal`",
        }
    }
}

/// Reads one key under one operator; none when a part is refused.
pub(super) fn check(text: &ConditionText, findings: &mut Findings) -> Option<CheckedCondition> {
    let before = findings.errors();
    let operator = Operator::parse(&text.operator.value);
    if operator.is_none() {
        let finding = unknown_operator(&text.operator, findings);
        findings.push(finding);
    }
    if let Some(fault) = key_fault(&text.key.value) {
        findings.push(
            text_error(ErrorCode::ConditionError, &text.key, "condition key", &fault)
                .expected("a key like `qcs:ip`"),
        );
    }
    let (operator, key) = (operator?, ConditionKey::new(&text.key.value));
    let family = GENERAL_KEYS.iter().find(|(general, _)| *general == key.canonical());
    if let Some((_, family)) = family.filter(|(_, family)| !family.has(operator.kind)) {
        let written = excerpt(&text.key.value);
        let fault = format!("cannot be used with the key `{written}`");
        findings.push(
            text_error(ErrorCode::ConditionTypeError, &text.operator, "operator", &fault)
                .expected(format!("{} for `{written}`", family.operators())),
        );
        return None;
    }
    let mut operands = Vec::new();
    for value in &text.values {
        let parsed = match &value.value {
            Scalar::Number(number) if Number::parse(number).is_none() => {
                Err(OperandFault::Type("a number that can be compared exactly"))
            }
            Scalar::Number(_) | Scalar::String(_) | Scalar::Bool(_) => {
                Operand::parse(&operator, &key, &value.value)
            }
        };
        match parsed {
            Ok(operand) => operands.push(operand),
            Err(fault) => findings.push(bad_value(value, &operator, &fault)),
        }
    }
    (findings.errors() == before).then(|| CheckedCondition {
        condition: Condition::new(operator, key, operands),
        operator: text.operator.span,
        key: text.key.span,
    })
}

fn unknown_operator(text: &Spanned<String>, findings: &Findings) -> Finding {
    let written = &text.value;
    let (prefix, rest) = match written.split_once(':') {
        Some((prefix @ ("for_any_value" | "for_all_value"), rest)) => (format!("{prefix}:"), rest),
        Some((_, rest)) => (String::new(), rest),
        None => (String::new(), written.as_str()),
    };
    let (base, suffix) = match rest.strip_suffix("_if_exist") {
        Some(base) => (base, "_if_exist"),
        None => (rest, ""),
    };
    let help = if base == "null_equal" {
        Some("`null_equal` has neither a prefix nor `_if_exist`".to_owned())
    } else if rest.ends_with("_if_exists") {
        Some("the suffix is `_if_exist`".to_owned())
    } else if findings.is_full() {
        None
    } else {
        nearest(base, Operator::base_names())
            .map(|near| format!("did you mean `{prefix}{near}{suffix}`?"))
    };
    text_error(ErrorCode::ConditionTypeError, text, "operator", "does not exist")
        .expected("an operator, perhaps after `for_any_value:` or `for_all_value:`")
        .help_maybe(help)
}

/// What is wrong with a condition key, if anything.
fn key_fault(key: &str) -> Option<String> {
    if key.is_empty() {
        Some("is empty".to_owned())
    } else if key.len() > CONDITION_KEY_BYTES_MAX {
        let actual = key.len();
        Some(format!("is {actual} bytes long, over the limit of {CONDITION_KEY_BYTES_MAX}"))
    } else if key.contains("${") {
        Some("holds a variable; variables stand only in values".to_owned())
    } else if key.trim() != key {
        Some("begins or ends with white space".to_owned())
    } else if key.chars().any(char::is_control) {
        Some("holds a control character".to_owned())
    } else {
        None
    }
}

fn bad_value(value: &Spanned<Scalar>, operator: &Operator, fault: &OperandFault) -> Finding {
    let text = value.value.text();
    let (expected, help) = match fault {
        OperandFault::Type(expected) => {
            let number = matches!(operator.kind, Kind::Numeric(_))
                && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                || matches!(value.value, Scalar::Number(_)) && Number::parse(text).is_none();
            let help = if text.contains("${") {
                Some("variables stand only in strings and numbers".to_owned())
            } else if number {
                Some(format!(
                    "numbers have at most {NUMBER_DIGITS_MAX} digits and exponents up to \
                     {NUMBER_EXPONENT_MAX}"
                ))
            } else {
                None
            };
            (*expected, help)
        }
        OperandFault::Variable(_) => ("`${uin}`, `${owner_uin}` or `${app_id}`", None),
    };
    let shown = excerpt(text);
    let message = match fault {
        OperandFault::Type(_) => format!("the value `{shown}` does not fit `{operator}`"),
        OperandFault::Variable(fault) => {
            format!("the value `{shown}` has a wrong variable: {fault}")
        }
    };
    Finding::error(ErrorCode::ConditionContentError, value.span, message)
        .found(text)
        .expected(expected)
        .help_maybe(help)
}
