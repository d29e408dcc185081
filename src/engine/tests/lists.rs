//! Rules F-01 to F-04.

use super::*;

const LIST: &str = "im:DescribeIMAppList";
const ALLOW_1: &str = r#"{"effect":"allow","action":"im:*",
    "resource":"qcs::im:::sdkappid/1400000001"}"#;
const DENY_1: &str = r#"{"effect":"deny","action":"im:*",
    "resource":"qcs::im:::sdkappid/1400000001"}"#;

fn filter(all: bool, resources: &[&str]) -> Option<Filter> {
    Some(Filter { all, resources: resources.iter().map(|it| (*it).to_owned()).collect() })
}

#[test]
fn a_list_is_allowed_with_exactly_the_allowed_apps() {
    // rules F-01, F-02
    let all = Fixture::of(ALLOW_ALL);
    for asked in ["*", ""] {
        let decision = all.decide(ALICE, LIST, asked);
        assert_eq!(decision.filter, filter(true, &[APP1, APP2]), "{asked}");
        assert_eq!(decision.reason, Reason::Allow);
    }
    let some = Fixture::of(ALLOW_1);
    assert_eq!(some.decide(ALICE, LIST, "*").filter, filter(false, &[APP1]));
    assert_eq!(some.ask(ALICE, LIST, "*"), "ALLOW allow identity/1000001#0");
    // Denies are honoured, and determine together with the allows.
    let denied = Fixture::of(&format!("{ALLOW_ALL},{DENY_1}"));
    assert_eq!(denied.decide(ALICE, LIST, "*").filter, filter(false, &[APP2]));
    let expected = "ALLOW allow identity/1000001#0 identity/1000001#1";
    assert_eq!(denied.ask(ALICE, LIST, "*"), expected);
    assert_eq!(all.decide(ROOT, LIST, "*").filter, filter(true, &[APP1, APP2]));
    assert_eq!(all.ask(ROOT, LIST, "*"), "ALLOW root");
}

#[test]
fn a_list_without_an_allowed_app_is_denied_by_the_nearest_reason() {
    // rule F-02
    let table = [
        (Fixture::of(DENY_1), "DENY implicit_deny:identity"),
        (Fixture::of(DENY_ALL), "DENY explicit_deny:identity identity/1000001#0"),
        (Fixture::of(ALLOW_1).boundary(DENY_1), "DENY implicit_deny:identity"),
        (Fixture::of(ALLOW_ALL).boundary(DENY_1), "DENY implicit_deny:boundary"),
        (Fixture::of(ALLOW_ALL).boundary(ALLOW_1).session(DENY_1), "DENY implicit_deny:boundary"),
        (Fixture::of(ALLOW_ALL).session(DENY_1), "DENY implicit_deny:session"),
        (Fixture::new([unreadable(1_000_001)]), "DENY error"),
    ];
    for (fixture, expected) in table {
        assert_eq!(fixture.ask(ALICE, LIST, "*"), expected);
        assert_eq!(fixture.decide(ALICE, LIST, "*").filter, None);
    }
}

#[test]
fn a_list_of_no_apps_is_empty_for_the_root_alone() {
    // rule F-02
    let mut fixture = Fixture::of(ALLOW_ALL);
    fixture.input.apps.clear();
    assert_eq!(fixture.ask(ALICE, LIST, "*"), "DENY implicit_deny:identity");
    assert_eq!(fixture.ask(ROOT, LIST, "*"), "ALLOW root");
    assert_eq!(fixture.decide(ROOT, LIST, "*").filter, filter(true, &[]));
    assert_eq!(fixture.ask(77, LIST, "*"), "DENY unknown_principal");
}

#[test]
fn a_caller_without_filters_gets_all_or_nothing() {
    // rule F-03
    let mut some = Fixture::of(ALLOW_1);
    some.accepts_filter = false;
    let decision = some.decide(ALICE, LIST, "*");
    assert_eq!((decision.reason, decision.filter), (Reason::FilterUnsupported, None));
    let mut all = Fixture::of(ALLOW_ALL);
    all.accepts_filter = false;
    assert_eq!(all.decide(ALICE, LIST, "*").filter, filter(true, &[APP1, APP2]));
}

#[test]
fn a_list_about_one_resource_is_decided_as_it_stands() {
    // rule F-04
    let fixture = Fixture::of(ALLOW_1);
    assert_eq!(fixture.ask(ALICE, LIST, APP1), "ALLOW allow identity/1000001#0");
    assert_eq!(fixture.decide(ALICE, LIST, APP1).filter, None);
    assert_eq!(fixture.ask(ALICE, LIST, APP2), "DENY implicit_deny:identity");
}
