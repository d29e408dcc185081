//! Conditions of every operator, and contexts that meet them.

use camgate::lang::condition::{ConditionKey, Context, ContextValue, Kind, Operator};
use camgate::lang::number::Number;

use super::dice::Dice;

/// One condition as it stands in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionParts {
    pub operator: String,
    pub key: &'static str,
    /// Each a JSON scalar.
    pub values: Vec<String>,
}

const TEXT_KEYS: [&str; 7] = [
    "im:platform",
    "qcs:request_tag",
    "qcs:resource_tag",
    "qcs:tag",
    "qcs:tag/env",
    "im:level",
    "mfa",
];
const NUMBER_KEYS: [&str; 8] = [
    "im:level",
    "qcs:uin",
    "qcs:owner_uin",
    "mfa",
    "qcs:mfa",
    "qcs:read_only_action",
    "qcs:except_cam_finance",
    "im:platform",
];
const NULL_KEYS: [&str; 5] = ["im:platform", "im:level", "im:flag", "mfa", "qcs:nothing"];
const TEXTS: [&str; 14] = [
    "ios",
    "iOS",
    "web",
    "*",
    "i*",
    "",
    "?",
    "env&dev",
    "env&prod",
    "dev",
    "dept&部门",
    "1",
    "true",
    "${uin}",
];
const LIKES: [&str; 10] =
    ["*", "i*s", "env&*", "*o*", "web", "d*v", "*部*", "?", "*${uin}", "${owner_uin}*"];
const NUMBERS: [&str; 11] = [
    "0",
    "1",
    "2",
    "-1",
    "1.5",
    "1e2",
    "12345678901234567890",
    "12345678901234567891",
    "100000000011",
    "12345678",
    "0.10",
];
const INSTANTS: [&str; 5] = [
    "2026-01-31T08:00:00Z",
    "2026-01-31T16:00:00+08:00",
    "2026-01-31 08:00:00",
    "2016-06-01T00:01:00Z",
    "2031-12-31T23:59:59.5Z",
];
const BLOCKS: [&str; 9] = [
    "10.0.0.0/8",
    "10.217.182.3/24",
    "192.168.1.1",
    "::ffff:10.0.0.0/104",
    "2001:db8::/32",
    "0.0.0.0/0",
    "::/0",
    "::ffff:10.1.2.3",
    "::ffff:0:0/90",
];
const ADDRESSES: [&str; 7] = [
    "10.217.182.9",
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "192.168.1.1",
    "2001:db8::7",
    "::ffd0:0:1",
    "8.8.8.8",
];

/// One of these, most often one of the first two.
fn biased(dice: &mut Dice<'_>, items: &[&'static str]) -> &'static str {
    if dice.chance(55) { items[dice.below(2)] } else { dice.pick(items) }
}

/// JSON for a text.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

pub fn condition(dice: &mut Dice<'_>) -> ConditionParts {
    let all = Operator::all();
    let operator = all[dice.below(all.len())];
    let key = match operator.kind {
        Kind::String | Kind::StringIgnoreCase | Kind::StringLike => dice.pick(&TEXT_KEYS),
        Kind::Numeric(_) => dice.pick(&NUMBER_KEYS),
        Kind::Date(_) => dice.pick(&["qcs:current_time", "im:at"]),
        Kind::Bool => dice.pick(&["im:flag", "im:platform"]),
        Kind::Binary => dice.pick(&["im:platform", "im:level"]),
        Kind::Ip => dice.pick(&["qcs:ip", "im:address"]),
        Kind::Null => dice.pick(&NULL_KEYS),
    };
    let count = if dice.chance(40) { 2 + dice.below(2) } else { 1 };
    let values = (0..count).map(|_| operand(dice, &operator, key)).collect();
    ConditionParts { operator: operator.to_string(), key, values }
}

fn operand(dice: &mut Dice<'_>, operator: &Operator, key: &str) -> String {
    let is_mfa = ConditionKey::new(key).is_mfa();
    match operator.kind {
        Kind::String if is_mfa => number(dice),
        Kind::String | Kind::StringIgnoreCase | Kind::Binary => match dice.below(12) {
            10 => "true".to_owned(),
            11 => biased(dice, &NUMBERS).to_owned(),
            _ => quoted(biased(dice, &TEXTS)),
        },
        Kind::StringLike => quoted(biased(dice, &LIKES)),
        Kind::Numeric(_) => number(dice),
        Kind::Date(_) => quoted(biased(dice, &INSTANTS)),
        Kind::Bool | Kind::Null => {
            dice.pick(&["true", "false", "\"true\"", "\"false\""]).to_owned()
        }
        Kind::Ip => quoted(biased(dice, &BLOCKS)),
    }
}

fn number(dice: &mut Dice<'_>) -> String {
    match dice.below(4) {
        0 => quoted(biased(dice, &NUMBERS)),
        1 => quoted(dice.pick(&["${uin}", "${owner_uin}", "${app_id}"])),
        _ => biased(dice, &NUMBERS).to_owned(),
    }
}

/// A context in which most keys have values of the right type.
pub fn context(dice: &mut Dice<'_>) -> Context {
    let mut context = Context::new();
    let keys = [
        "im:platform",
        "im:level",
        "im:flag",
        "im:at",
        "im:address",
        "qcs:ip",
        "qcs:request_tag",
        "qcs:resource_tag",
        "qcs:mfa",
    ];
    for key in keys {
        if dice.chance(75) {
            let count = [1, 1, 1, 0, 2, 3][dice.below(6)];
            let values = (0..count).map(|_| context_value(dice, key)).collect();
            context.insert(key, values).unwrap();
        }
    }
    if dice.chance(15) {
        let value = context_value(dice, "im:at");
        context.insert("qcs:current_time", vec![value]).unwrap();
    }
    context
}

fn context_value(dice: &mut Dice<'_>, key: &str) -> ContextValue {
    // Now and then a value of another type, which is an error to most operators (rule C-21).
    let key = if dice.chance(6) { dice.pick(&["im:platform", "im:level", "im:flag"]) } else { key };
    match key {
        "im:level" | "qcs:mfa" if dice.chance(30) => ContextValue::from(biased(dice, &NUMBERS)),
        "im:level" | "qcs:mfa" => {
            ContextValue::Number(Number::parse(biased(dice, &NUMBERS)).unwrap())
        }
        "im:flag" if dice.chance(40) => ContextValue::from(dice.pick(&["true", "false"])),
        "im:flag" => ContextValue::Bool(dice.chance(50)),
        "im:at" => ContextValue::from(biased(dice, &INSTANTS)),
        "im:address" | "qcs:ip" => ContextValue::from(biased(dice, &ADDRESSES)),
        _ => ContextValue::from(biased(
            dice,
            &[
                "ios",
                "IOS",
                "web",
                "*",
                "",
                "?",
                "env&dev",
                "env&prod",
                "dept&部门",
                "1",
                "100000000011",
                "true",
            ],
        )),
    }
}
