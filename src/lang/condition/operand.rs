//! The typed values that a policy compares with (rules C-10 to C-15, C-20).

use std::net::{IpAddr, Ipv4Addr};

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;

use super::key::ConditionKey;
use super::operator::{Kind, Operator};
use crate::lang::document::Scalar;
use crate::lang::number::Number;
use crate::lang::pattern::{Pattern, Template, VariableFault};

/// One value of a condition in a policy, of its operator's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// Compared exactly, perhaps after case folding; may hold variables.
    Text(Template),
    /// Compared with stars; may hold variables.
    Like(Pattern),
    /// A number.
    Number(Number),
    /// A variable or a text with variables that is a number once they are filled in.
    NumberText(Template),
    /// An instant.
    Instant(Timestamp),
    /// A boolean.
    Bool(bool),
    /// An address block, host bits masked off, IPv4-mapped blocks as IPv4.
    Network(IpNet),
    /// `null_equal`: whether the key must be absent or empty.
    Null(bool),
}

/// Why a value does not fit its operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperandFault {
    /// Not of the operator's type; says what is expected.
    #[error("is not {0}")]
    Type(&'static str),
    /// A wrong variable, or one where none may stand.
    #[error("{0}")]
    Variable(#[from] VariableFault),
}

impl Operand {
    /// Reads one value for an operator on a key.
    ///
    /// # Errors
    /// The value is not of the operator's type (rule C-20).
    pub fn parse(
        operator: &Operator,
        key: &ConditionKey,
        value: &Scalar,
    ) -> Result<Self, OperandFault> {
        let text = scalar_text(value);
        let numeric = matches!(operator.kind, Kind::Numeric(_))
            || (key.is_mfa() && operator.kind == Kind::String);
        if numeric {
            return parse_number(&text, value);
        }
        match operator.kind {
            Kind::String | Kind::StringIgnoreCase | Kind::Binary | Kind::Numeric(_) => {
                Ok(Self::Text(Template::parse(&text)?))
            }
            Kind::StringLike => Ok(Self::Like(Pattern::parse(&text)?)),
            Kind::Date(_) => parse_instant(&text)
                .map(Self::Instant)
                .ok_or(OperandFault::Type("an instant like `2026-01-31T08:00:00Z`")),
            Kind::Bool => {
                parse_bool(&text).map(Self::Bool).ok_or(OperandFault::Type("`true` or `false`"))
            }
            Kind::Ip => parse_network(&text)
                .map(Self::Network)
                .ok_or(OperandFault::Type("an address or a block like `10.0.0.0/8`")),
            Kind::Null => {
                parse_bool(&text).map(Self::Null).ok_or(OperandFault::Type("`true` or `false`"))
            }
        }
    }
}

/// A scalar's text as string operators see it: numbers in their shortest exact form (rule C-23).
fn scalar_text(value: &Scalar) -> String {
    match value {
        Scalar::Number(text) => {
            Number::parse(text).map_or_else(|| text.clone(), |number| number.to_string())
        }
        Scalar::String(_) | Scalar::Bool(_) => value.text().to_owned(),
    }
}

fn parse_number(text: &str, value: &Scalar) -> Result<Operand, OperandFault> {
    const EXPECTED: OperandFault = OperandFault::Type("a number");
    match value {
        Scalar::Bool(_) => Err(EXPECTED),
        Scalar::Number(_) | Scalar::String(_) => {
            if let Some(number) = Number::parse(text) {
                return Ok(Operand::Number(number));
            }
            let template = Template::parse(text)?;
            // `${uin}` is a number once filled in; any other text around it is not.
            let only_variables = template.as_fixed().is_none()
                && text.split("${").skip(1).all(|part| part.ends_with('}'))
                && text.starts_with("${");
            if only_variables { Ok(Operand::NumberText(template)) } else { Err(EXPECTED) }
        }
    }
}

/// `true` or `false`, and nothing else.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Reads an instant in one of the three forms of rule C-11; none otherwise.
#[must_use]
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape: Vec<u8> =
        bytes.iter().map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte }).collect();
    let date = shape.get(..10)? == b"0000-00-00";
    let time = shape.get(11..19)? == b"00:00:00";
    let (fraction, zone) = split_fraction(shape.get(19..)?)?;
    let separator = *shape.get(10)?;
    let with_zone = separator == b'T' && matches!(zone, b"Z" | b"+00:00" | b"-00:00");
    let as_utc = separator == b' ' && zone.is_empty();
    if !date || !time || fraction > 9 {
        return None;
    }
    if with_zone {
        text.parse().ok()
    } else if as_utc {
        format!("{text}Z").parse().ok()
    } else {
        None
    }
}

/// The digits of a fraction of a second, counted, and what follows it. Digits are all `0` here.
fn split_fraction(rest: &[u8]) -> Option<(usize, &[u8])> {
    match rest.strip_prefix(b".") {
        None => Some((0, rest)),
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| **byte == b'0').count();
            if digits == 0 { None } else { Some((digits, rest.get(digits..)?)) }
        }
    }
}

/// Reads an address block, or an address as a block of one; host bits are masked off, and an
/// IPv4-mapped IPv6 block is the IPv4 one (rule C-14).
#[must_use]
pub fn parse_network(text: &str) -> Option<IpNet> {
    let network = match text.split_once('/') {
        Some((_, bits)) if bits.len() > 1 && bits.starts_with('0') => return None,
        Some(_) => text.parse::<IpNet>().ok()?,
        None => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    let IpNet::V6(six) = network else { return Some(network.trunc()) };
    match six.addr().to_ipv4_mapped() {
        Some(four) if six.prefix_len() >= 96 => {
            Ipv4Net::new(four, six.prefix_len() - 96).ok().map(|net| IpNet::V4(net).trunc())
        }
        _ => Some(IpNet::V6(six.trunc())),
    }
}

/// Reads a request's address; an IPv4-mapped one is the IPv4 one.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V6(six) => Some(six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4)),
        IpAddr::V4(four) => Some(IpAddr::V4(Ipv4Addr::from(four.octets()))),
    }
}

/// Folds case by Unicode simple case folding, character by character (rule C-08).
pub(super) fn fold_case(text: &str) -> String {
    const MAPPER: CaseMapperBorrowed<'static> = CaseMapper::new();
    text.chars().map(|character| MAPPER.simple_fold(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_forms_are_three() {
        // rule C-11
        let same = [
            "2022-05-31T00:00:00Z",
            "2022-05-31 00:00:00",
            "2022-05-31T08:00:00+08:00",
            "2022-05-31T00:00:00.000Z",
        ];
        for text in same {
            assert_eq!(parse_instant(text), parse_instant(same[0]), "{text}");
            assert!(parse_instant(text).is_some());
        }
        for text in [
            "2022-05-31",
            "2022-05-31T00:00:00",
            "2022-05-31 00:00:00Z",
            "2022-13-01T00:00:00Z",
            "2022-05-31t00:00:00z",
            "20220531T000000Z",
            "1653955200",
            "2022-05-31T00:00:00.Z",
            "2022-05-31T00:00:00Z[UTC]",
            "2022-05-31T24:00:00Z",
            "",
            "２０２２-05-31T00:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn network_masks_host_bits_and_unmaps() {
        // rule C-14
        for (text, expected) in [
            ("10.217.182.3/24", "10.217.182.0/24"),
            ("192.168.1.1", "192.168.1.1/32"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1/90", "::ffc0:0:0/90"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            assert_eq!(parse_network(text).map(|net| net.to_string()).as_deref(), Some(expected));
        }
        for text in
            ["10.0.0.0/33", "10.0.0", "10.0.0.0/08", "010.0.0.1", "10.0.0.1/", "a", "::1%eth0"]
        {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }

    #[test]
    fn case_folding_is_simple() {
        // rule C-08
        assert_eq!(fold_case("DEV"), "dev");
        assert_eq!(fold_case("ΣΑΣ"), fold_case("σας"));
        assert_ne!(fold_case("ß"), fold_case("ss"));
        assert_eq!(fold_case("部门"), "部门");
    }
}
