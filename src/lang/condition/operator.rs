//! The operators of conditions and their spelling (spec 3.2).

use std::fmt;

/// How two ordered values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// The same.
    Equal,
    /// The context's value is smaller.
    Less,
    /// The context's value is not larger.
    LessEqual,
    /// The context's value is larger.
    Greater,
    /// The context's value is not smaller.
    GreaterEqual,
}

/// What kind of test an operator makes, without its negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Exact strings (rule C-08).
    String,
    /// Strings after case folding (rule C-08).
    StringIgnoreCase,
    /// Strings with stars (rule C-09).
    StringLike,
    /// Numbers (rule C-10).
    Numeric(Comparison),
    /// Instants (rule C-11).
    Date(Comparison),
    /// Booleans (rule C-12).
    Bool,
    /// Bytes of strings (rule C-13).
    Binary,
    /// Addresses in blocks (rule C-14).
    Ip,
    /// Absent or empty (rule C-15).
    Null,
}

/// Over which of several context values an operator quantifies (rule C-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantifier {
    /// `for_any_value:`.
    ForAnyValue,
    /// `for_all_value:`.
    ForAllValue,
}

impl Quantifier {
    /// The prefix without its colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForAnyValue => "for_any_value",
            Self::ForAllValue => "for_all_value",
        }
    }
}

/// One operator as it stands in a condition block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator {
    /// The quantifier prefix, if any.
    pub quantifier: Option<Quantifier>,
    /// What is tested.
    pub kind: Kind,
    /// Whether the test is negated (rule C-05).
    pub negated: bool,
    /// Whether an absent key makes it true (rule C-04).
    pub if_exist: bool,
}

const IF_EXIST: &str = "_if_exist";

/// Every operator without prefix and suffix: spelling, kind, negated.
const TABLE: [(&str, Kind, bool); 23] = [
    ("string_equal", Kind::String, false),
    ("string_not_equal", Kind::String, true),
    ("string_equal_ignore_case", Kind::StringIgnoreCase, false),
    ("string_not_equal_ignore_case", Kind::StringIgnoreCase, true),
    ("string_like", Kind::StringLike, false),
    ("string_not_like", Kind::StringLike, true),
    ("numeric_equal", Kind::Numeric(Comparison::Equal), false),
    ("numeric_not_equal", Kind::Numeric(Comparison::Equal), true),
    ("numeric_less_than", Kind::Numeric(Comparison::Less), false),
    ("numeric_less_than_equal", Kind::Numeric(Comparison::LessEqual), false),
    ("numeric_greater_than", Kind::Numeric(Comparison::Greater), false),
    ("numeric_greater_than_equal", Kind::Numeric(Comparison::GreaterEqual), false),
    ("date_equal", Kind::Date(Comparison::Equal), false),
    ("date_not_equal", Kind::Date(Comparison::Equal), true),
    ("date_less_than", Kind::Date(Comparison::Less), false),
    ("date_less_than_equal", Kind::Date(Comparison::LessEqual), false),
    ("date_greater_than", Kind::Date(Comparison::Greater), false),
    ("date_greater_than_equal", Kind::Date(Comparison::GreaterEqual), false),
    ("bool_equal", Kind::Bool, false),
    ("binary_equal", Kind::Binary, false),
    ("ip_equal", Kind::Ip, false),
    ("ip_not_equal", Kind::Ip, true),
    ("null_equal", Kind::Null, false),
];

impl Operator {
    /// Reads an operator as written; none when it is unknown (rule C-16). `null_equal` has neither
    /// prefix nor suffix (rule C-15).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (quantifier, rest) = match text.split_once(':') {
            Some(("for_any_value", rest)) => (Some(Quantifier::ForAnyValue), rest),
            Some(("for_all_value", rest)) => (Some(Quantifier::ForAllValue), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (name, if_exist) = match rest.strip_suffix(IF_EXIST) {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (_, kind, negated) = *TABLE.iter().find(|(spelling, ..)| *spelling == name)?;
        if kind == Kind::Null && (quantifier.is_some() || if_exist) {
            return None;
        }
        Some(Self { quantifier, kind, negated, if_exist })
    }

    /// The spelling without prefix and suffix.
    #[must_use]
    pub fn base_name(&self) -> &'static str {
        TABLE
            .iter()
            .find(|(_, kind, negated)| *kind == self.kind && *negated == self.negated)
            .map_or("", |(spelling, ..)| spelling)
    }

    /// The spellings of all operators without prefix and suffix, in the manual's order.
    pub fn base_names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(spelling, ..)| *spelling)
    }

    /// Every operator there is, with every prefix and suffix, in a stable order.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let quantifiers = [None, Some(Quantifier::ForAnyValue), Some(Quantifier::ForAllValue)];
        let mut all = Vec::new();
        for (_, kind, negated) in TABLE {
            for quantifier in quantifiers {
                for if_exist in [false, true] {
                    if kind != Kind::Null || (quantifier.is_none() && !if_exist) {
                        all.push(Self { quantifier, kind, negated, if_exist });
                    }
                }
            }
        }
        all
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(quantifier) = self.quantifier {
            write!(f, "{}:", quantifier.as_str())?;
        }
        f.write_str(self.base_name())?;
        if self.if_exist { f.write_str(IF_EXIST) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_spelling_round_trips() {
        let all = Operator::all();
        assert_eq!(all.len(), 22 * 6 + 1);
        for operator in all {
            assert_eq!(Operator::parse(&operator.to_string()), Some(operator));
        }
    }

    #[test]
    fn operator_unknown_is_refused() {
        // rules C-15, C-16
        for text in [
            "",
            "StringEqual",
            "string_equals",
            "null_equal_if_exist",
            "for_any_value:null_equal",
            "for_any_value:",
            "for_some_value:string_equal",
            "string_equal_if_exist_if_exist",
            "for_any_value:for_any_value:string_equal",
            " string_equal",
            "bool_not_equal",
        ] {
            assert_eq!(Operator::parse(text), None, "{text}");
        }
    }
}
