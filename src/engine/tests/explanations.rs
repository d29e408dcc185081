//! What explanations say.

use super::*;

#[test]
fn the_first_failure_is_told_with_the_value_seen() {
    let mut fixture = Fixture::of(
        r#"{"effect":"allow","action":"trtc:*","resource":"*"},
           {"effect":"allow","action":"im:*","resource":"qcs::im:::sdkappid/7"},
           {"effect":"allow","action":"*","resource":"*","condition":{
               "string_equal":{"im:platform":["web","ios"]}}},
           {"effect":"deny","action":"*","resource":"*","condition":{
               "string_equal":{"qcs:tag/zone":"x"}}},
           {"effect":"allow","action":"*","resource":"*","condition":{
               "numeric_equal":{"im:level":1}}},
           {"effect":"allow","action":"*","resource":"*"},
           {"effect":"deny","action":"*","resource":"*","condition":{
               "bool_equal":{"im:client":true}}}"#,
    )
    .with("im:platform", "android")
    .with("im:level", "many");
    let group = Via::Group { id: 9, name: "运营".into() };
    let way = Attachment { policy_id: 1_000_001, via: group.clone() };
    fixture.alice().attachments.push(way);
    let snapshot = AccountSnapshot::build(fixture.input.clone(), &fixture.world, None);
    let request = fixture.request(ALICE, "im:DescribeConfInfo", APP1).unwrap();
    let explanation = explain(&snapshot, &request);
    assert_eq!(explanation.decision, decide(&snapshot, &request, &mut NoTrace));
    // Sending tags would not help: they are the registered ones (rule D-17).
    assert_eq!(explanation.missing_keys, ["im:client"]);
    let [resource] = explanation.resources.as_slice() else { panic!("one resource") };
    assert_eq!((resource.resource.as_str(), resource.reason), (APP1, Reason::Allow));
    let condition = |operator: &str, key: &str, expected: &[&str], seen: &[&str]| {
        let texts = |items: &[&str]| items.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        StatementResult::Failed(FirstFailure::Condition {
            index: 0,
            operator: operator.to_owned(),
            key: key.to_owned(),
            expected: texts(expected),
            seen: texts(seen),
            missing: seen.is_empty(),
        })
    };
    let errored = "context key `im:level` has the value `many`, which is not a number".to_owned();
    let expected = [
        StatementResult::Failed(FirstFailure::Action),
        StatementResult::Failed(FirstFailure::Resource),
        condition("string_equal", "im:platform", &["web", "ios"], &["android"]),
        condition("string_equal", "qcs:tag/zone", &["x"], &[]),
        StatementResult::Errored { messages: vec![errored] },
        StatementResult::Matched,
        condition("bool_equal", "im:client", &["true"], &[]),
    ];
    // The general policy's statement comes first.
    let own: Vec<_> = resource.statements.iter().skip(1).collect();
    assert_eq!(own.len(), expected.len());
    for (place, (found, expected)) in own.iter().zip(expected).enumerate() {
        assert_eq!((found.statement, &found.result), (place, &expected));
        assert_eq!(found.via, [Via::Direct, group.clone()]);
    }
}

#[test]
fn a_list_is_explained_app_by_app() {
    // rule F-01
    let fixture = Fixture::of(ALLOW_ALL);
    let snapshot = AccountSnapshot::build(fixture.input.clone(), &fixture.world, None);
    let request = fixture.request(ALICE, "im:DescribeIMAppList", "*").unwrap();
    let names: Vec<String> =
        explain(&snapshot, &request).resources.into_iter().map(|it| it.resource).collect();
    assert_eq!(names, [APP1, APP2]);
}
