//! Conditions as texts (rules C-01 to C-23): operators are told apart by their spelling.

use std::net::IpAddr;

use super::matching::{fill, like};
use crate::lang::condition::{ContextValue, parse_instant};
use crate::lang::document::{ConditionText, Scalar};
use crate::lang::number::Number;
use crate::lang::variable::Variables;

/// What a condition comes to.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Test {
    True,
    False,
    Error,
}

/// Tests one key under one operator; `fact` yields the values under a canonical key.
pub(super) fn test(
    condition: &ConditionText,
    fact: &dyn Fn(&str) -> Vec<ContextValue>,
    variables: &Variables,
) -> Test {
    let operator = condition.operator.value.as_str();
    let key = condition.key.value.as_str();
    let (any, operator) = strip(operator, "for_any_value:");
    let (all, operator) = strip(operator, "for_all_value:");
    let (operator, if_exist) = match operator.strip_suffix("_if_exist") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let values = values(key, fact);
    if operator == "null_equal" {
        // rule C-15
        let empty = values.iter().all(|it| text(it).is_empty());
        let wants = |want: &str| condition.values.iter().any(|it| it.value.text() == want);
        return truth(wants(if empty { "true" } else { "false" }));
    }
    if values.is_empty() {
        return truth(if_exist); // rules C-03, C-04, C-07
    }
    // rule C-05
    let negated = operator.contains("_not_");
    let positive = operator.replace("_not_", "_");
    let positive = match (key, positive.as_str()) {
        ("mfa" | "qcs:mfa", "string_equal") => "numeric_equal", // rule C-18
        (_, other) => other,
    };
    let of_value = |value: &ContextValue| -> Test {
        let mut found = false;
        for own in &condition.values {
            // rule C-01
            match satisfies(positive, &own.value, value, variables) {
                None => return Test::Error, // rule C-21
                Some(holds) => found |= holds,
            }
        }
        truth(found != negated)
    };
    let tests: Vec<Test> = values.iter().map(of_value).collect();
    // rules C-06, C-07, C-21
    let decisive = if all || (negated && !any) { Test::False } else { Test::True };
    if tests.contains(&decisive) {
        decisive
    } else if tests.contains(&Test::Error) {
        Test::Error
    } else if decisive == Test::True {
        Test::False
    } else {
        Test::True
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> (bool, &'a str) {
    text.strip_prefix(prefix).map_or((false, text), |rest| (true, rest))
}

fn truth(value: bool) -> Test {
    if value { Test::True } else { Test::False }
}

/// The values under a key, by its aliases (rules C-17 to C-19).
fn values(key: &str, fact: &dyn Fn(&str) -> Vec<ContextValue>) -> Vec<ContextValue> {
    match key {
        "mfa" => fact("qcs:mfa"),
        "qcs:tag" => fact("qcs:resource_tag"),
        _ => match key.strip_prefix("qcs:tag/").filter(|name| !name.is_empty()) {
            None => fact(key),
            Some(name) => {
                let prefix = format!("{name}&");
                let of_tag = |value: &ContextValue| match value {
                    ContextValue::Text(tag) => tag.strip_prefix(&prefix).map(ContextValue::from),
                    ContextValue::Number(_) | ContextValue::Bool(_) => None,
                };
                fact("qcs:resource_tag").iter().filter_map(of_tag).collect()
            }
        },
    }
}

/// Rule C-23.
fn text(value: &ContextValue) -> String {
    match value {
        ContextValue::Text(text) => text.clone(),
        ContextValue::Number(number) => number.to_string(),
        ContextValue::Bool(true) => "true".to_owned(),
        ContextValue::Bool(false) => "false".to_owned(),
    }
}

/// Whether one context value satisfies one policy value under a positive operator; none when the
/// context's value is not of the operator's type (rule C-21).
fn satisfies(
    operator: &str,
    own: &Scalar,
    value: &ContextValue,
    variables: &Variables,
) -> Option<bool> {
    let own_text = match own {
        Scalar::Number(digits) => {
            Number::parse(digits).map_or_else(|| digits.clone(), |number| number.to_string())
        }
        Scalar::String(_) | Scalar::Bool(_) => own.text().to_owned(),
    };
    let filled = || fill(&own_text, variables);
    let seen = text(value);
    if let Some(comparison) = operator.strip_prefix("numeric_") {
        // rule C-10
        let number = match value {
            ContextValue::Bool(_) => None,
            ContextValue::Text(_) | ContextValue::Number(_) => Number::parse(&seen),
        }?;
        return Some(
            Number::parse(&filled()).is_some_and(|own| compare(comparison, &number, &own)),
        );
    }
    if let Some(comparison) = operator.strip_prefix("date_") {
        // rule C-11
        let ContextValue::Text(seen) = value else { return None };
        let instant = parse_instant(seen)?;
        return Some(
            parse_instant(&own_text).is_some_and(|own| compare(comparison, &instant, &own)),
        );
    }
    match operator {
        "string_equal" | "binary_equal" => Some(seen == filled()), // rules C-08, C-13
        "string_equal_ignore_case" => Some(fold(&seen) == fold(&filled())), // rule C-08
        "string_like" => Some(like(&own_text, &seen, Some(variables))), // rule C-09
        "bool_equal" => {
            // rule C-12
            let is_bool = !matches!(value, ContextValue::Number(_));
            (is_bool && matches!(seen.as_str(), "true" | "false")).then_some(seen == own_text)
        }
        "ip_equal" => {
            // rule C-14
            let ContextValue::Text(seen) = value else { return None };
            Some(in_block(seen.parse().ok()?, &own_text))
        }
        _ => Some(false),
    }
}

fn compare<T: Ord>(comparison: &str, seen: &T, own: &T) -> bool {
    match comparison {
        "equal" => seen == own,
        "less_than" => seen < own,
        "less_than_equal" => seen <= own,
        "greater_than" => seen > own,
        "greater_than_equal" => seen >= own,
        _ => false,
    }
}

/// Simple case folding, one character at a time.
fn fold(text: &str) -> Vec<char> {
    let mapper = icu_casemap::CaseMapper::new();
    text.chars().map(|character| mapper.simple_fold(character)).collect()
}

/// Whether an address is in a block: the first bits are the same (rule C-14).
fn in_block(address: IpAddr, block: &str) -> bool {
    let (base, bits) = match block.split_once('/') {
        Some((base, bits)) => (base, bits.parse::<u32>().ok()),
        None => (block, Some(u32::MAX)),
    };
    let (Ok(base), Some(bits)) = (base.parse::<IpAddr>(), bits) else { return false };
    let (base, base_is_four, mapped) = unmap(base);
    let (address, address_is_four, _) = unmap(address);
    // Bits are counted from the front of 128; four-byte addresses begin at bit 96. A mapped block
    // that is wider than all of IPv4 is one of IPv6, in which no IPv4 address is.
    let base_is_four = base_is_four && !(mapped && bits < 96);
    let bits = if base_is_four && !mapped { bits.min(32) + 96 } else { bits.min(128) };
    base_is_four == address_is_four && (bits == 0 || (base ^ address) >> (128 - bits) == 0)
}

/// The address as 128 bits, whether it is an IPv4 one, and whether it was written mapped.
fn unmap(address: IpAddr) -> (u128, bool, bool) {
    match address {
        IpAddr::V4(four) => (four.to_ipv6_mapped().to_bits(), true, false),
        IpAddr::V6(six) => (six.to_bits(), six.to_ipv4_mapped().is_some(), true),
    }
}
