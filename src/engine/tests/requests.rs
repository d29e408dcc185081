//! What is refused before it is decided.

use super::*;

#[test]
fn derived_keys_are_refused() {
    // rule D-15
    for key in DERIVED_KEYS {
        let fault = Fixture::new([]).with(key, "1").request(ALICE, "im:X", "*").unwrap_err();
        assert_eq!(fault, RequestFault::DerivedKey(key.to_owned()));
        assert!(fault.to_string().contains(key));
    }
}

#[test]
fn case_twins_are_refused() {
    // rule D-18
    let fault = Fixture::new([]).request(ALICE, "im:describeConfInfo", APP1).unwrap_err();
    let expected = "action `im:describeConfInfo` is unknown; write `im:DescribeConfInfo`, names are case-sensitive";
    assert_eq!(fault.to_string(), expected);
    assert!(Fixture::new([]).request(ALICE, "im:DescribeConfInfos", APP1).is_ok());
}

#[test]
fn only_lists_are_asked_about_nothing() {
    // rule F-01
    let fixture = Fixture::new([]);
    assert!(fixture.request(ALICE, "im:DescribeIMAppList", "").is_ok());
    for action in ["im:DescribeConfInfo", "im:CheckIfIMNewUser", "im:Unheard"] {
        let fault = fixture.request(ALICE, action, "").unwrap_err();
        assert_eq!(fault, RequestFault::NoResource(action.to_owned()));
    }
}

#[test]
fn reasons_have_stable_names() {
    for (reason, expected) in [
        (Reason::Root, "root"),
        (Reason::Allow, "allow"),
        (Reason::ExplicitDeny(Layer::General), "explicit_deny:general"),
        (Reason::ImplicitDeny(Layer::Boundary), "implicit_deny:boundary"),
        (Reason::UnknownPrincipal, "unknown_principal"),
        (Reason::FilterUnsupported, "filter_unsupported"),
        (Reason::Error, "error"),
    ] {
        assert_eq!(reason.to_string(), expected);
    }
}

#[test]
fn numbers_of_another_catalog_mean_nothing() {
    // The same actions under other numbers: `cam` and `sts` are not there.
    let im = include_bytes!("../../../policies/catalog/im.json");
    let other = Catalog::parse(&[("im.json", im.as_slice())]).unwrap();
    let statement = r#"{"effect":"allow","action":"im:DescribeConfInfo","resource":"*"}"#;
    let snapshot = AccountSnapshot::build(Fixture::of(statement).input, &shipped(), None);
    let context = Context::new();
    for (action, expected) in
        [("im:DescribeConfInfo", Outcome::Allow), ("im:AddGroupMember", Outcome::Deny)]
    {
        let query = Query {
            principal: ALICE.into(),
            action: ActionQuery::parse(action, &other).unwrap(),
            resource: ResourceQuery::parse(APP1).unwrap(),
            context: &context,
            now: jiff::Timestamp::UNIX_EPOCH,
            session: &[],
            registered_owner: None,
            granted_by_owner: false,
            accepts_filter: false,
        };
        let mut decision = DecisionRef::of_nobody();
        decide_into(&snapshot, query.check(&other).unwrap(), &mut decision);
        assert_eq!(decision.outcome(), expected, "{action}");
    }
}
