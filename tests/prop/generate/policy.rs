//! Policies as JSON text, built from parts so that tests can take them apart again.

use super::condition::{ConditionParts, condition, quoted};
use super::dice::Dice;

/// A statement in parts; [`Text::json`] writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub effect: &'static str,
    pub actions: Vec<&'static str>,
    pub resources: Vec<&'static str>,
    pub conditions: Vec<ConditionParts>,
}

const ACTIONS: [&str; 18] = [
    "*",
    "name/im:*",
    "name/*:*",
    "im:DescribeConfInfo",
    "im:*",
    "name/im:Describe*",
    "im:*User*",
    "im:RemoveUser",
    "im:DescribeIMAppList",
    "permid/7",
    "permid/99",
    "cam:*",
    "trtc:*",
    "*:Describe*",
    "billing:Pay",
    "im:NewThing",
    "name/im:CheckIfIMNewUser",
    "name/trtc:D*t",
];
const RESOURCES: [&str; 22] = [
    "*",
    "*",
    "qcs::im::uin/12345678:sdkappid/1400000001",
    "qcs::im::uin/:sdkappid/1400000002",
    "qcs::im:::sdkappid/1400000003",
    "qcs::im::uid/1250000001:sdkappid/*",
    "qcs::im::uin/12345678:*",
    "qcs:::::sdkappid/14000000*",
    "qcs::im:::*1",
    "qcs::im:::sdkappid/14000000*2",
    "qcs::im:*::*",
    "qcs::i*::*:sdkappid/*",
    "qcs::*::uin/*:*",
    "qcs::im:ap-shanghai::sdkappid/*",
    "qcs::im:ap-*::*",
    "qcs::im:::q/${uin}",
    "qcs::im:::q/*${owner_uin}",
    "qcs::im:::群/*",
    "qcs::im:::sdkappid/140000000",
    "qcs::im::uin/99999999:*",
    "qcs::im::uid/1250000009:sdkappid/*",
    "qcs::trtc:::*",
];

pub fn statement(dice: &mut Dice<'_>) -> Text {
    let count =
        |dice: &mut Dice<'_>| 1 + usize::from(dice.chance(30)) + usize::from(dice.chance(15));
    let effect = if dice.chance(28) { "deny" } else { "allow" };
    let mut conditions: Vec<ConditionParts> = Vec::new();
    for _ in 0..[0, 0, 0, 1, 1, 2][dice.below(6)] {
        let one = condition(dice);
        // A key may stand once under an operator (rule L-03).
        if !conditions.iter().any(|it| it.operator == one.operator && it.key == one.key) {
            conditions.push(one);
        }
    }
    let mut actions: Vec<_> = (0..count(dice)).map(|_| dice.pick(&ACTIONS)).collect();
    let mut resources: Vec<_> = (0..count(dice)).map(|_| dice.pick(&RESOURCES)).collect();
    // Conditions are reached only when the rest matches.
    if dice.chance(if conditions.is_empty() { 20 } else { 60 }) {
        actions = vec!["*"];
    }
    if !conditions.is_empty() && dice.chance(50) {
        resources = vec!["*"];
    }
    Text { effect, actions, resources, conditions }
}

/// Several statements.
pub fn policy(dice: &mut Dice<'_>) -> Vec<Text> {
    let count = 1 + usize::from(dice.chance(40)) + usize::from(dice.chance(20));
    (0..count).map(|_| statement(dice)).collect()
}

impl Text {
    /// The statement as JSON.
    pub fn json(&self) -> String {
        let list = |items: Vec<String>| match items.as_slice() {
            // rule L-07
            [only] => only.clone(),
            _ => format!("[{}]", items.join(",")),
        };
        let strings = |items: &[&str]| list(items.iter().map(|it| quoted(it)).collect());
        let mut operators: Vec<&str> = Vec::new();
        for condition in &self.conditions {
            if !operators.contains(&condition.operator.as_str()) {
                operators.push(&condition.operator);
            }
        }
        let of = |operator: &str| {
            let keys = self.conditions.iter().filter(|it| it.operator == operator);
            let keys = keys.map(|it| format!("{}:{}", quoted(it.key), list(it.values.clone())));
            format!("{}:{{{}}}", quoted(operator), keys.collect::<Vec<_>>().join(","))
        };
        let blocks: Vec<String> = operators.into_iter().map(of).collect();
        let condition = match blocks.as_slice() {
            [] => String::new(),
            _ => format!(",\"condition\":{{{}}}", blocks.join(",")),
        };
        format!(
            "{{\"effect\":\"{}\",\"action\":{},\"resource\":{}{condition}}}",
            self.effect,
            strings(&self.actions),
            strings(&self.resources),
        )
    }

    /// A policy of these statements as JSON.
    pub fn policy_json(statements: &[Self]) -> String {
        let statements: Vec<String> = statements.iter().map(Self::json).collect();
        format!("{{\"version\":\"2.0\",\"statement\":[{}]}}", statements.join(","))
    }
}
