//! One condition tested against a request's facts: true, false or an error.

use std::borrow::Cow;

use super::context::{ContextValue, Facts};
use super::key::ConditionKey;
use super::operand::{Operand, fold_case, parse_address, parse_bool, parse_instant};
use super::operator::{Comparison, Kind, Operator, Quantifier};
use crate::lang::number::Number;
use crate::lang::variable::Variables;

/// A context value that could not be tested (rule C-21).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("context key `{key}` has the value `{value}`, which is not {expected}")]
pub struct EvaluationError {
    /// The condition key as the policy writes it.
    pub key: String,
    /// The context's value.
    pub value: String,
    /// What the operator takes.
    pub expected: &'static str,
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told (rule C-21).
    Error(EvaluationError),
}

impl Truth {
    fn from_bool(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// One key under one operator, with its values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    operator: Operator,
    key: ConditionKey,
    operands: Box<[Operand]>,
}

impl Condition {
    /// A condition of parts that fit each other; `validate` is the one who knows that they do.
    #[must_use]
    pub fn new(operator: Operator, key: ConditionKey, operands: Vec<Operand>) -> Self {
        Self { operator, key, operands: operands.into() }
    }

    /// The operator.
    #[must_use]
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &ConditionKey {
        &self.key
    }

    /// The values, one or more.
    #[must_use]
    pub fn operands(&self) -> &[Operand] {
        &self.operands
    }

    /// The context's values that this condition sees, aliases and single tags resolved (C-18,
    /// C-19).
    #[must_use]
    pub fn seen<'f>(&self, facts: &'f impl Facts) -> Cow<'f, [ContextValue]> {
        let values = facts.values(self.key.canonical()).unwrap_or_default();
        let Some(name) = self.key.tag_name() else { return Cow::Borrowed(values) };
        let of_tag = |value: &ContextValue| match value {
            ContextValue::Text(text) => text
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('&'))
                .map(|value| ContextValue::Text(value.to_owned())),
            ContextValue::Number(_) | ContextValue::Bool(_) => None,
        };
        Cow::Owned(values.iter().filter_map(of_tag).collect())
    }

    /// Tests the condition.
    #[must_use]
    pub fn test(&self, facts: &impl Facts, variables: &Variables) -> Truth {
        let values = self.seen(facts);
        if self.operator.kind == Kind::Null {
            return Truth::from_bool(self.test_null(&values));
        }
        if values.is_empty() {
            // rules C-03, C-04, C-07
            return Truth::from_bool(self.operator.if_exist);
        }
        let for_all = match self.operator.quantifier {
            Some(Quantifier::ForAllValue) => true,
            Some(Quantifier::ForAnyValue) => false,
            // rule C-06
            None => self.operator.negated,
        };
        let mut error = None;
        for value in values.iter() {
            match self.test_value(value, variables) {
                Truth::True if !for_all => return Truth::True,
                Truth::False if for_all => return Truth::False,
                Truth::Error(found) => error = error.or(Some(found)),
                Truth::True | Truth::False => {}
            }
        }
        error.map_or(Truth::from_bool(for_all), Truth::Error)
    }

    /// Rule C-15.
    fn test_null(&self, values: &[ContextValue]) -> bool {
        let empty =
            values.iter().all(|value| matches!(value, ContextValue::Text(text) if text.is_empty()));
        self.operands.iter().any(|operand| matches!(operand, Operand::Null(want) if *want == empty))
    }

    /// One context value against the whole list of the policy's values (rules C-01, C-05).
    fn test_value(&self, value: &ContextValue, variables: &Variables) -> Truth {
        match self.any_operand(value, variables) {
            Ok(found) => Truth::from_bool(found != self.operator.negated),
            Err(expected) => Truth::Error(EvaluationError {
                key: self.key.text().to_owned(),
                value: value.to_string(),
                expected,
            }),
        }
    }

    fn any_operand(
        &self,
        value: &ContextValue,
        variables: &Variables,
    ) -> Result<bool, &'static str> {
        let any = |test: &dyn Fn(&Operand) -> bool| self.operands.iter().any(test);
        if self.key.is_mfa() && self.operator.kind == Kind::String {
            let number = number_of(value).ok_or("a number")?;
            return Ok(any(&|operand| {
                compare_number(&number, operand, Comparison::Equal, variables)
            }));
        }
        match self.operator.kind {
            Kind::String | Kind::Binary => {
                let text = text_of(value);
                Ok(any(&|operand| text_operand(operand, variables).is_some_and(|own| own == text)))
            }
            Kind::StringIgnoreCase => {
                let text = fold_case(&text_of(value));
                Ok(any(&|operand| {
                    text_operand(operand, variables).is_some_and(|own| fold_case(&own) == text)
                }))
            }
            Kind::StringLike => {
                let text = text_of(value);
                let like = |operand: &Operand| {
                    let Operand::Like(own) = operand else { return false };
                    own.matches(&text, variables)
                };
                Ok(any(&like))
            }
            Kind::Numeric(comparison) => {
                let number = number_of(value).ok_or("a number")?;
                Ok(any(&|operand| compare_number(&number, operand, comparison, variables)))
            }
            Kind::Date(comparison) => {
                let ContextValue::Text(text) = value else { return Err("an instant") };
                let instant = parse_instant(text).ok_or("an instant")?;
                let compare = |operand: &Operand| {
                    let Operand::Instant(own) = operand else { return false };
                    holds(comparison, instant.cmp(own))
                };
                Ok(any(&compare))
            }
            Kind::Bool => {
                let truth = match value {
                    ContextValue::Bool(truth) => Some(*truth),
                    ContextValue::Text(text) => parse_bool(text),
                    ContextValue::Number(_) => None,
                }
                .ok_or("a boolean")?;
                Ok(any(&|operand| *operand == Operand::Bool(truth)))
            }
            Kind::Ip => {
                let ContextValue::Text(text) = value else { return Err("an address") };
                let address = parse_address(text).ok_or("an address")?;
                Ok(any(
                    &|operand| matches!(operand, Operand::Network(own) if own.contains(&address)),
                ))
            }
            // Decided by `test_null`, which never comes here.
            Kind::Null => Ok(false),
        }
    }
}

fn text_of(value: &ContextValue) -> Cow<'_, str> {
    match value {
        ContextValue::Text(text) => Cow::Borrowed(text),
        ContextValue::Number(_) | ContextValue::Bool(_) => Cow::Owned(value.to_string()),
    }
}

fn number_of(value: &ContextValue) -> Option<Cow<'_, Number>> {
    match value {
        ContextValue::Number(number) => Some(Cow::Borrowed(number)),
        ContextValue::Text(text) => Number::parse(text).map(Cow::Owned),
        ContextValue::Bool(_) => None,
    }
}

fn text_operand<'o>(operand: &'o Operand, variables: &Variables) -> Option<Cow<'o, str>> {
    if let Operand::Text(template) = operand { Some(template.resolve(variables)) } else { None }
}

fn compare_number(
    number: &Number,
    operand: &Operand,
    comparison: Comparison,
    variables: &Variables,
) -> bool {
    if let Operand::NumberText(template) = operand {
        let own = Number::parse(&template.resolve(variables));
        return own.is_some_and(|own| holds(comparison, number.cmp(&own)));
    }
    matches!(operand, Operand::Number(own) if holds(comparison, number.cmp(own)))
}

fn holds(comparison: Comparison, ordering: std::cmp::Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterEqual => ordering.is_ge(),
    }
}
