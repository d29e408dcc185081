//! Sets of many statements against the reference: every way in which the index folds them.

use super::*;

/// Parts that make statements of every place: apps, texts, prefixes, whole patterns, stars, other
/// regions, services and owners, and actions in and outside the catalog.
const RESOURCES: [&str; 16] = [
    "*",
    "qcs::im::uin/12345678:sdkappid/1400000001",
    "qcs::im:::sdkappid/1400000001",
    "qcs::::*:sdkappid/1400000001",
    "qcs::im::uin/99999999:sdkappid/1400000001",
    "qcs::im:ap-*::sdkappid/1400000001",
    "qcs::im:::sdkappid/*",
    "qcs::im:::sdkappid/14*1",
    "qcs::im:::*",
    "qcs::im:::*1",
    "qcs::i*:::group/一",
    "qcs::im:::group/*",
    "qcs::im:::group/${uin}",
    "qcs::im:::${uin}*",
    "qcs::trtc:::sdkappid/1400000001",
    "qcs::im:::sdkappid/01",
];
const ACTIONS: [&str; 8] = [
    "im:*",
    "im:DescribeConfInfo",
    "im:Describe*",
    "*",
    "im:SetConfInfo",
    "im:RemoveUser",
    "name/*:*Conf*",
    "trtc:*",
];
const ASKED: [&str; 10] = [
    "*",
    APP1,
    APP2,
    FOREIGN,
    "qcs::im:ap-guangzhou:uin/12345678:sdkappid/1400000001",
    "qcs::trtc::uid/1250000001:sdkappid/1400000001",
    "qcs::im:::group/一",
    "qcs::im:::group/100000000011",
    "qcs::im:::100000000011x",
    "qcs::im:::sdkappid/01",
];

/// A policy for each action and resource, some of which deny or have a condition.
fn policies(step: usize) -> Vec<PolicyInput> {
    let mut policies = Vec::new();
    for (place, resource) in RESOURCES.iter().enumerate() {
        for (number, action) in ACTIONS.iter().enumerate() {
            let at = place * ACTIONS.len() + number;
            if at % step != step / 2 {
                continue;
            }
            let effect = if at % 5 == 4 { "deny" } else { "allow" };
            let condition = match at % 7 {
                3 => r#","condition":{"string_equal":{"im:env":"dev"}}"#,
                5 => r#","condition":{"numeric_equal":{"im:n":"1"}}"#,
                _ => "",
            };
            let statement = format!(
                r#"{{"effect":"{effect}","action":"{action}","resource":"{resource}"{condition}}}"#
            );
            policies.push(policy(1_000_001 + policies.len() as u64, &statement));
        }
    }
    policies
}

#[test]
fn the_index_says_what_the_reference_says() {
    let mut reasons = std::collections::BTreeSet::new();
    for step in 1..=12 {
        for fixture in [
            Fixture::new(policies(step)),
            Fixture::new(policies(step)).with("im:env", "dev").with("im:n", "1"),
            Fixture::new(policies(step)).with("im:n", "no number"),
        ] {
            for action in ["im:DescribeConfInfo", "im:SetConfInfo", "im:RemoveUser", "trtc:X"] {
                for resource in ASKED {
                    // Compares with the reference.
                    reasons.insert(fixture.decide(ALICE, action, resource).reason.to_string());
                }
            }
        }
    }
    let expected = ["allow", "explicit_deny:identity", "implicit_deny:identity"];
    assert!(expected.iter().all(|reason| reasons.contains(*reason)), "{reasons:?}");
}

#[test]
fn every_action_of_a_crowded_place_has_its_own_list() {
    // More kinds of action lists than are tested one by one.
    let names: Vec<String> =
        shipped().catalog().actions_of("im").iter().map(|it| it.qualified_name()).collect();
    let one = |place: usize| {
        let (first, second) = (&names[place % names.len()], &names[(place * 7) % names.len()]);
        let effect = if place % 6 == 5 { "deny" } else { "allow" };
        let resource = if place.is_multiple_of(4) { "qcs::im:::sdkappid/*" } else { APP1 };
        let statement = format!(
            r#"{{"effect":"{effect}","action":["{first}","{second}"],"resource":"{resource}"}}"#
        );
        policy(1_000_001 + place as u64, &statement)
    };
    let fixture = Fixture::new((0..300).map(one));
    for action in &names {
        for resource in [APP1, APP2] {
            fixture.decide(ALICE, action, resource);
        }
    }
}

#[test]
fn a_place_says_the_same_however_crowded_it_is() {
    // One by one, with masks of one word and of several, and with a cell for each action.
    let names: Vec<String> =
        shipped().catalog().actions_of("im").iter().map(|it| it.qualified_name()).collect();
    for crowd in 1..=20 {
        let one = |place: usize| {
            let lists = [
                format!(r#""{}""#, names[place]),
                format!(r#""{}","{}""#, names[place], names[place + 1]),
                format!(r#""{}","{}""#, names[place], names[names.len() - 1 - place]),
                "\"im:Describe*\"".to_owned(),
            ];
            let condition = match place % 3 {
                1 => r#","condition":{"string_equal":{"im:env":"dev"}}"#,
                _ => "",
            };
            let effect = if place % 7 == 6 { "deny" } else { "allow" };
            let statement = format!(
                r#"{{"effect":"{effect}","action":[{}],"resource":"{APP1}"{condition}}}"#,
                lists[(place / 2) % 4]
            );
            policy(1_000_001 + place as u64, &statement)
        };
        let fixture = Fixture::new((0..crowd).map(one)).with("im:env", "dev");
        for action in &names {
            fixture.decide(ALICE, action, APP1);
        }
    }
}
