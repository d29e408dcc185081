//! Rules D-01 to D-20, and what the engine adds to A-08, C-22 and R-03.

use super::*;

const GET: &str = "im:DescribeConfInfo";

/// The worked example of the issue: allow everything on two apps, deny one action on the first.
const TWO_APPS: &str = r#"
    {"effect":"allow","action":"name/im:*","resource":[
        "qcs::im::uin/12345678:sdkappid/1400000001","qcs::im::uin/12345678:sdkappid/1400000002"]},
    {"effect":"deny","action":"name/im:RemoveUser",
        "resource":"qcs::im::uin/12345678:sdkappid/1400000001"}"#;

#[test]
fn the_example_of_two_apps() {
    let fixture = Fixture::of(TWO_APPS);
    let app0 = "qcs::im::uin/12345678:sdkappid/1400000000";
    let table = [
        (ALICE, GET, APP1, "ALLOW allow identity/1000001#0"),
        // rule D-04
        (ALICE, "im:RemoveUser", APP1, "DENY explicit_deny:identity identity/1000001#1"),
        (ALICE, "im:RemoveUser", APP2, "ALLOW allow identity/1000001#0"),
        // rules D-01, D-07
        (ALICE, GET, app0, "DENY implicit_deny:identity"),
        // rule R-03
        (ALICE, "im:CheckIfIMNewUser", "*", "DENY implicit_deny:identity"),
        (ALICE, "trtc:DescribeAppStatList", APP1, "DENY implicit_deny:identity"),
        // rule D-12
        (77, GET, APP1, "DENY unknown_principal"),
        // rule D-06
        (ROOT, GET, APP1, "ALLOW root"),
        (ROOT, "im:CheckIfIMNewUser", "*", "ALLOW root"),
        // rule D-08
        (ROOT, GET, FOREIGN, "DENY implicit_deny:resource"),
    ];
    for (uin, action, resource, expected) in table {
        assert_eq!(fixture.ask(uin, action, resource), expected, "{uin} {action} {resource}");
    }
}

#[test]
fn a_false_condition_removes_a_deny_too() {
    // rule D-02
    let deny = r#"{"effect":"deny","action":"*","resource":"*",
        "condition":{"string_equal":{"im:platform":"web"}}}"#;
    let fixture = || Fixture::of(&format!("{ALLOW_ALL},{deny}"));
    assert_eq!(fixture().ask(ALICE, GET, APP1), "ALLOW allow identity/1000001#0");
    let web = fixture().with("im:platform", "web");
    assert_eq!(web.ask(ALICE, GET, APP1), "DENY explicit_deny:identity identity/1000001#1");
}

#[test]
fn ways_and_copies_of_an_attachment_are_irrelevant() {
    // rule D-03
    let mut fixture = Fixture::of(ALLOW_ALL);
    let group = Via::Group { id: 9, name: "运营".into() };
    fixture.alice().attachments.push(Attachment { policy_id: 1_000_001, via: group });
    // What is nobody's id means nothing.
    fixture.alice().attachments.push(Attachment { policy_id: 1_000_077, via: Via::Direct });
    assert_eq!(fixture.ask(ALICE, GET, APP1), "ALLOW allow identity/1000001#0");
}

#[test]
fn the_first_layer_with_a_deny_is_reported_and_all_determine() {
    // rules D-04, D-11
    let mut fixture = Fixture::of(DENY_ALL).boundary(DENY_ALL).session(DENY_ALL);
    let all = "DENY explicit_deny:identity identity/1000001#0 boundary/1000009#0 session/50#0";
    assert_eq!(fixture.ask(ALICE, GET, APP1), all);
    fixture.alice().attachments.clear();
    let rest = "DENY explicit_deny:boundary boundary/1000009#0 session/50#0";
    assert_eq!(fixture.ask(ALICE, GET, APP1), rest);
    fixture.alice().boundary = None;
    assert_eq!(fixture.ask(ALICE, GET, APP1), "DENY explicit_deny:session session/50#0");
    // A deny wins over the foreign owner too.
    assert_eq!(fixture.ask(ALICE, GET, FOREIGN), "DENY explicit_deny:session session/50#0");
}

#[test]
fn what_cannot_be_read_denies() {
    // rule D-05
    let broken = || Fixture::new([policy(1_000_001, ALLOW_ALL), unreadable(1_000_002)]);
    let decision = broken().decide(ALICE, GET, APP1);
    assert_eq!(decision.reason, Reason::Error);
    assert_eq!(decision.errors.len(), 1);
    assert_eq!(decision.errors[0].message, "policy `broken` cannot be read: cut short");
    assert_eq!(decision.errors[0].statement, None);
    // The root has no identity policies.
    assert_eq!(broken().ask(ROOT, GET, APP1), "ALLOW root");
    let mut boundary = Fixture::of(ALLOW_ALL);
    boundary.input.policies.push(unreadable(1_000_002));
    assert_eq!(boundary.ask(ALICE, GET, APP1), "ALLOW allow identity/1000001#0");
    boundary.alice().boundary = Some(1_000_002);
    assert_eq!(boundary.ask(ALICE, GET, APP1), "DENY error");
    let mut session = Fixture::of(ALLOW_ALL);
    session.session.push(unreadable(1));
    assert_eq!(session.ask(ALICE, GET, APP1), "DENY error");
    // An explicit deny found elsewhere is the better answer (rule D-04).
    let deny = Fixture::new([policy(1_000_001, DENY_ALL), unreadable(1_000_002)]);
    let expected = "DENY explicit_deny:identity identity/1000001#0";
    assert_eq!(deny.ask(ALICE, GET, APP1), expected);
}

#[test]
fn the_root_is_capped_by_sessions_and_general_policies_only() {
    // rules D-06, D-10, D-13
    let mut fixture = Fixture::of(DENY_ALL);
    let attachments = fixture.alice().attachments.clone();
    fixture.input.principals[0].attachments = attachments;
    assert_eq!(fixture.ask(ROOT, GET, APP1), "ALLOW root");
    let none = r#"{"effect":"allow","action":"im:RemoveUser","resource":"*"}"#;
    let capped = Fixture::new([]).session(none);
    assert_eq!(capped.ask(ROOT, GET, APP1), "DENY implicit_deny:session");
    assert_eq!(capped.ask(ROOT, "im:RemoveUser", APP1), "ALLOW root session/50#0");
    let general = Fixture::new([]).with("mfa", "0");
    let expected = "DENY explicit_deny:general general/9001#0";
    assert_eq!(general.ask(ROOT, "account:ModifyMail", "*"), expected);
}

#[test]
fn foreign_resources_are_denied_after_the_identity_layer() {
    // rules D-07, D-08, D-14
    let mut fixture = Fixture::of(ALLOW_ALL);
    assert_eq!(fixture.ask(ALICE, GET, FOREIGN), "DENY implicit_deny:resource");
    let by_app_id = "qcs::im::uid/1250000009:sdkappid/1400000001";
    assert_eq!(fixture.ask(ALICE, GET, by_app_id), "DENY implicit_deny:resource");
    for own in ["qcs::im:::x", "qcs::im::uin/:x", "qcs::im::uid/1250000001:x", APP1] {
        assert_eq!(fixture.ask(ALICE, GET, own), "ALLOW allow identity/1000001#0", "{own}");
    }
    // The registered owner counts, whatever the request says.
    fixture.registered_owner = Some(99_999_999);
    assert_eq!(fixture.ask(ALICE, GET, APP1), "DENY implicit_deny:resource");
    assert_eq!(fixture.ask(ROOT, GET, APP1), "DENY implicit_deny:resource");
    fixture.registered_owner = Some(ROOT);
    assert_eq!(fixture.ask(ROOT, GET, APP1), "ALLOW root");
    assert_eq!(Fixture::of(TWO_APPS).ask(ALICE, GET, FOREIGN), "DENY implicit_deny:identity");
}

#[test]
fn a_boundary_must_allow_too_and_never_grants() {
    // rule D-09
    let read = r#"{"effect":"allow","action":"im:Describe*","resource":"*"}"#;
    let fixture = Fixture::of(ALLOW_ALL).boundary(read);
    let both = "ALLOW allow identity/1000001#0 boundary/1000009#0";
    assert_eq!(fixture.ask(ALICE, GET, APP1), both);
    assert_eq!(fixture.ask(ALICE, "im:RemoveUser", APP1), "DENY implicit_deny:boundary");
    let alone = Fixture::new([]).boundary(ALLOW_ALL);
    assert_eq!(alone.ask(ALICE, GET, APP1), "DENY implicit_deny:identity");
    let mut gone = Fixture::of(ALLOW_ALL);
    gone.alice().boundary = Some(1_000_088);
    assert_eq!(gone.ask(ALICE, GET, APP1), "DENY implicit_deny:boundary");
}

#[test]
fn each_session_policy_must_allow() {
    // rule D-10
    let read = r#"{"effect":"allow","action":"im:Describe*","resource":"*"}"#;
    let both = Fixture::of(ALLOW_ALL).session(read).session(ALLOW_ALL);
    let expected = "ALLOW allow identity/1000001#0 session/50#0 session/51#0";
    assert_eq!(both.ask(ALICE, GET, APP1), expected);
    assert_eq!(both.ask(ALICE, "im:RemoveUser", APP1), "DENY implicit_deny:session");
    let alone = Fixture::new([]).session(ALLOW_ALL);
    assert_eq!(alone.ask(ALICE, GET, APP1), "DENY implicit_deny:identity");
}

#[test]
fn every_matching_allow_determines() {
    // rule D-11
    let fixture = Fixture::new([
        policy(1_000_002, ALLOW_ALL),
        policy(1_000_001, &format!("{ALLOW_ALL},{ALLOW_ALL}")),
    ]);
    let all = "ALLOW allow identity/1000001#0 identity/1000001#1 identity/1000002#0";
    assert_eq!(fixture.ask(ALICE, GET, APP1), all);
}

#[test]
fn message_recipients_are_nobody() {
    // rules D-12, D-21
    let mut fixture = Fixture::of(ALLOW_ALL);
    fixture.alice().kind = PrincipalKind::MessageRecipient;
    assert_eq!(fixture.ask(ALICE, GET, APP1), "DENY unknown_principal");
    let others = [PrincipalKind::WecomSubUser, PrincipalKind::Collaborator, PrincipalKind::Role];
    for kind in others {
        fixture.alice().kind = kind;
        assert_eq!(fixture.ask(ALICE, GET, APP1), "ALLOW allow identity/1000001#0");
    }
}

#[test]
fn general_policies_bind_everybody_and_grant_nothing() {
    // rule D-13
    let mail = "account:ModifyMail";
    let without = Fixture::of(ALLOW_ALL).with("qcs:mfa", "0");
    let denied = "DENY explicit_deny:general general/9001#0";
    assert_eq!(without.ask(ALICE, mail, "*"), denied);
    assert_eq!(without.ask(ALICE, GET, APP1), "ALLOW allow identity/1000001#0");
    let with = Fixture::of(ALLOW_ALL).with("mfa", "1");
    assert_eq!(with.ask(ALICE, mail, "*"), "ALLOW allow identity/1000001#0");
    let mut grants = Fixture::new([]);
    let catalog = Arc::clone(shipped().catalog());
    grants.world = Arc::new(World::new(catalog, vec![policy(1, ALLOW_ALL)], Vec::new()));
    assert_eq!(grants.ask(ALICE, GET, APP1), "DENY implicit_deny:identity");
}

fn with_condition(operator: &str, key: &str, value: &str) -> Fixture {
    Fixture::of(&format!(
        r#"{{"effect":"allow","action":"*","resource":"*",
            "condition":{{"{operator}":{{"{key}":{value}}}}}}}"#
    ))
}

#[test]
fn the_server_derives_its_own_keys() {
    // rules D-15, D-16, D-19
    let table = [
        ("numeric_equal", "qcs:uin", "100000000011", GET, true),
        ("string_equal", "qcs:uin", r#""${uin}""#, GET, true),
        ("numeric_equal", "qcs:owner_uin", "12345678", GET, true),
        ("numeric_equal", "qcs:owner_uin", "100000000011", GET, false),
        ("numeric_equal", "qcs:read_only_action", "1", GET, true),
        ("numeric_equal", "qcs:read_only_action", "0", "im:RemoveUser", true),
        ("numeric_equal", "qcs:read_only_action", "1", "im:ListUnheardOf", true),
        ("numeric_equal", "qcs:except_cam_finance", "1", GET, true),
        ("numeric_equal", "qcs:except_cam_finance", "0", "cam:CreatePolicy", true),
        ("numeric_equal", "qcs:except_cam_finance", "1", "cam:CreateGroup", true),
        ("numeric_equal", "qcs:except_cam_finance", "0", "finance:Pay", true),
        ("date_equal", "qcs:current_time", r#""2026-01-31T16:00:00+08:00""#, GET, true),
        ("date_equal", "qcs:current_time", r#""2026-01-31T16:00:00Z""#, GET, false),
        ("date_equal", "qcs:current_time", r#""2026-01-31 08:00:00""#, GET, true),
    ];
    for (operator, key, value, action, expected) in table {
        let outcome = with_condition(operator, key, value).decide(ALICE, action, APP1).outcome;
        assert_eq!(outcome == Outcome::Allow, expected, "{operator} {key} {value} {action}");
    }
    let sent = with_condition("date_equal", "qcs:current_time", r#""2020-01-01T00:00:00Z""#);
    let sent = sent.with("qcs:current_time", "2020-01-01T00:00:00Z");
    assert_eq!(sent.ask(ALICE, GET, APP1), "ALLOW allow identity/1000001#0");
}

#[test]
fn registered_tags_win_over_sent_ones() {
    // rules C-19, D-17
    let dev = || with_condition("for_any_value:string_equal", "qcs:resource_tag", r#""env&dev""#);
    assert_eq!(dev().decide(ALICE, GET, APP1).outcome, Outcome::Allow);
    let lie = dev().with("qcs:resource_tag", "env&dev");
    // App 2 is registered and has no tags, so it has none, whatever the request says.
    assert_eq!(lie.decide(ALICE, GET, APP2).outcome, Outcome::Deny);
    assert_eq!(lie.decide(ALICE, GET, "qcs::im:::room/1").outcome, Outcome::Allow);
    let one = with_condition("string_equal", "qcs:tag/部门", r#""一""#);
    assert_eq!(one.decide(ALICE, GET, APP1).outcome, Outcome::Allow);
}

#[test]
fn creating_grants_nothing() {
    // rule D-20
    let create = r#"{"effect":"allow","action":"im:CreateApp","resource":"*"}"#;
    let fixture = Fixture::of(create);
    assert_eq!(fixture.ask(ALICE, "im:CreateApp", "*"), "ALLOW allow identity/1000001#0");
    assert_eq!(fixture.ask(ALICE, GET, APP1), "DENY implicit_deny:identity");
}

#[test]
fn an_unknown_action_set_allows_nothing_and_denies_everything() {
    // rule A-08
    let allow = r#"{"effect":"allow","action":"permid/99","resource":"*"}"#;
    let deny = r#"{"effect":"deny","action":"permid/99","resource":"*"}"#;
    for action in [GET, "nosuch:Action"] {
        let expected = "DENY implicit_deny:identity";
        assert_eq!(Fixture::of(allow).ask(ALICE, action, APP1), expected);
        let expected = "DENY explicit_deny:identity identity/1000001#1";
        let both = format!("{ALLOW_ALL},{deny}");
        assert_eq!(Fixture::of(&both).ask(ALICE, action, APP1), expected);
    }
}

#[test]
fn an_error_fails_an_allow_and_holds_a_deny() {
    // rules C-21, C-22
    let ip = |effect: &str| {
        format!(
            r#"{{"effect":"{effect}","action":"*","resource":"*",
                "condition":{{"ip_equal":{{"qcs:ip":"10.0.0.0/8"}}}}}}"#
        )
    };
    let allow = Fixture::of(&ip("allow")).with("qcs:ip", "not an address");
    let decision = allow.decide(ALICE, GET, APP1);
    assert_eq!(decision.reason, Reason::ImplicitDeny(Layer::Identity));
    assert_eq!((decision.errors[0].statement, decision.errors[0].condition), (Some(0), Some(0)));
    assert!(decision.errors[0].message.contains("`not an address`"));
    let deny = Fixture::of(&format!("{ALLOW_ALL},{}", ip("deny"))).with("qcs:ip", "?");
    let decision = deny.decide(ALICE, GET, APP1);
    assert_eq!(decision.reason, Reason::ExplicitDeny(Layer::Identity));
    assert_eq!(decision.errors.len(), 1);
    // One false condition and the error is no longer of interest.
    let mixed = r#"{"effect":"deny","action":"*","resource":"*","condition":{
        "ip_equal":{"qcs:ip":"10.0.0.0/8"},"string_equal":{"im:x":"1"}}}"#;
    let mixed = Fixture::of(&format!("{ALLOW_ALL},{mixed}")).with("qcs:ip", "?");
    let decision = mixed.decide(ALICE, GET, APP1);
    assert_eq!((decision.outcome, decision.errors.len()), (Outcome::Allow, 0));
}

#[test]
fn granularity_is_remarked_on_and_changes_nothing() {
    let fixture = Fixture::of(ALLOW_ALL);
    let table = [
        (GET, "*", vec![Note::ResourceActionOnStar]),
        ("im:CheckIfIMNewUser", APP1, vec![Note::OperationActionOnResource]),
        ("im:Unheard", APP1, vec![Note::UnknownAction]),
        (GET, APP1, vec![]),
    ];
    for (action, resource, notes) in table {
        let decision = fixture.decide(ALICE, action, resource);
        assert_eq!((decision.outcome, decision.notes), (Outcome::Allow, notes), "{action}");
    }
}
