//! Exact decimal numbers, so that a uin of 20 digits is compared digit by digit (rule C-10).

use std::cmp::Ordering;
use std::fmt;

use super::limits::{NUMBER_DIGITS_MAX, NUMBER_EXPONENT_MAX};

/// A decimal number: `digits` times ten to the power `exponent`, no leading or trailing zeros in
/// `digits`; zero has no digits and is not negative. Equal numbers are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    digits: Box<str>,
    exponent: i32,
}

impl Number {
    /// Reads a JSON number's text: no plus sign, no leading zeros but `0` itself, `e` or `E`
    /// allowed. None when the text is no such number, or has more digits or a larger exponent than
    /// the limits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !all_digits(whole) || leading_zero || fraction.is_some_and(|text| !all_digits(text)) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        let written = format!("{whole}{fraction}");
        let trailing = written.trim_end_matches('0');
        let dropped = i32::try_from(written.len() - trailing.len()).ok()?;
        let digits = trailing.trim_start_matches('0');
        if digits.len() > NUMBER_DIGITS_MAX {
            return None;
        }
        if digits.is_empty() {
            return Some(Self { negative: false, digits: "".into(), exponent: 0 });
        }
        let scale = i32::try_from(fraction.len()).ok()?;
        let exponent = exponent.checked_sub(scale)?.checked_add(dropped)?;
        if exponent.unsigned_abs() > NUMBER_EXPONENT_MAX.unsigned_abs() {
            return None;
        }
        Some(Self { negative, digits: digits.into(), exponent })
    }

    /// The power of ten of the first digit, for comparing magnitudes.
    fn magnitude(&self) -> i64 {
        i64::from(self.exponent) + i64::try_from(self.digits.len()).unwrap_or(i64::MAX)
    }

    fn cmp_absolute(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // With equal magnitude and no trailing zeros, text order is number order.
            (false, false) => self
                .magnitude()
                .cmp(&other.magnitude())
                .then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i32 = digits.parse().ok()?;
    Some(if text.starts_with('-') { -value } else { value })
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        let written = value.to_string();
        let digits = written.trim_end_matches('0');
        let dropped = written.len() - digits.len();
        if digits.is_empty() {
            return Self { negative: false, digits: "".into(), exponent: 0 };
        }
        // A u64 has at most 20 digits.
        Self {
            negative: false,
            digits: digits.into(),
            exponent: i32::try_from(dropped).unwrap_or(0),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_absolute(other),
            (true, true) => other.cmp_absolute(self),
        }
    }
}

impl fmt::Display for Number {
    /// The shortest exact form: plain digits where that is short, `digits` and exponent otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        let length = i64::try_from(self.digits.len()).unwrap_or(0);
        let point = i64::from(self.exponent) + length;
        if self.digits.is_empty() {
            f.write_str("0")
        } else if self.exponent >= 0 && point <= 30 {
            write!(f, "{sign}{}{}", self.digits, zeros(self.exponent.into()))
        } else if self.exponent < 0 && point > 0 {
            let split = usize::try_from(point).unwrap_or(0);
            let (whole, fraction) =
                self.digits.split_at_checked(split).unwrap_or((&self.digits, ""));
            write!(f, "{sign}{whole}.{fraction}")
        } else if self.exponent < 0 && point > -10 {
            write!(f, "{sign}0.{}{}", zeros(-point), self.digits)
        } else {
            write!(f, "{sign}{}e{}", self.digits, self.exponent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn number_orders_exactly() {
        // rule C-10
        let ascending = [
            "-1e9",
            "-18446744073709551617",
            "-18446744073709551616",
            "-1.5",
            "-1",
            "0",
            "1e-5",
            "0.1",
            "0.11",
            "1",
            "9.99",
            "10",
            "100000000011",
            "100000000012",
            "18446744073709551615",
            "18446744073709551616",
            "1e30",
        ];
        let mut sorted: Vec<Number> = ascending.iter().map(|text| number(text)).collect();
        sorted.sort();
        let expected = ["-18446744073709551617", "-18446744073709551616", "-1000000000"];
        let first: Vec<String> = sorted.iter().take(3).map(ToString::to_string).collect();
        assert_eq!(first, expected);
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn number_equal_spellings_are_equal() {
        // rules C-10, C-23
        for (one, other, shown) in [
            ("1", "1.0", "1"),
            ("100", "1e2", "100"),
            ("0", "-0.0", "0"),
            ("0.5", "5e-1", "0.5"),
            ("1048576", "1048576.000", "1048576"),
            ("12.5", "125E-1", "12.5"),
            ("1e40", "10e39", "1e40"),
        ] {
            assert_eq!(number(one), number(other));
            assert_eq!(number(one).to_string(), shown);
            assert_eq!(number(shown), number(one));
        }
        assert_eq!(Number::from(1_250_000_000), number("1250000000"));
        assert_eq!(Number::from(0), number("0"));
    }

    #[test]
    fn number_refuses_what_json_refuses() {
        let long = "9".repeat(65);
        for text in [
            "",
            "-",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "0x1",
            "1e99999999999",
            "1e10000",
            "NaN",
            " 1",
            "1_000",
            "１",
            &long,
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
