//! Trust policies, and both sides of assuming a role (spec examples 44 to 46; 43 speaks of
//! service-linked roles, which are not built).

use super::*;

const ROLE: &str = "qcs::cam::uin/12345678:role/4611686018427387905";
const ROLE_ID: u64 = 4_611_686_018_427_387_905;
const BOB: u64 = 100_000_000_012;
const GUEST: Owner = Owner { uin: 87_654_321, app_id: 1_250_000_002 };

fn trust(statements: &str) -> PolicyInput {
    let json = format!(r#"{{"version":"2.0","statement":[{statements}]}}"#);
    let valid = lang::load_as(json.as_bytes(), lang::document::DocumentKind::Trust);
    let body = PolicyBody::Valid(Arc::new(valid.unwrap_or_else(|it| panic!("{json}: {it:?}"))));
    PolicyInput { id: 0, name: "trust".into(), version: 1, body }
}

/// A statement about one principal of the account `HOME`, as `uin/7`.
fn speaks(effect: &str, last: &str, more: &str) -> String {
    format!(
        r#"{{"effect":"{effect}","action":"name/sts:AssumeRole",
          "principal":{{"qcs":["qcs::cam::uin/{ROOT}:{last}"]}}{more}}}"#
    )
}

fn user(owner: Owner, uin: u64, groups: &[u64]) -> TrustCaller {
    TrustCaller { owner, uin, kind: CallerKind::User { groups: groups.to_vec() } }
}

fn role(id: u64, name: &str) -> TrustCaller {
    TrustCaller { owner: HOME, uin: id, kind: CallerKind::Role { name: name.to_owned() } }
}

/// The verdict of both readings.
fn ask_in(policy: &PolicyInput, caller: TrustCaller, context: Context) -> TrustVerdict {
    let catalog = Catalog::builtin();
    let action = ActionName::parse("sts:AssumeRole").unwrap();
    let now = "2026-01-31T08:00:00Z".parse().unwrap();
    let request = TrustRequest { caller, action, context, now };
    let verdict = trusts(&CompiledPolicy::new(policy.clone(), catalog), catalog, &request);
    assert_eq!(verdict, reference::trusts(policy, catalog, &request));
    verdict
}

fn ask(statements: &str, caller: TrustCaller) -> &'static str {
    ask_in(&trust(statements), caller, Context::new()).reason.as_str()
}

#[test]
fn a_statement_names_its_callers_and_nobody_else() {
    // rule D-22
    let alice = || user(HOME, ALICE, &[3]);
    let cases = [
        (format!("uin/{ALICE}"), alice(), true),
        (format!("uin/{BOB}"), alice(), false),
        ("root".to_owned(), alice(), true),
        ("root".to_owned(), role(ROLE_ID, "ops"), true),
        ("root".to_owned(), user(GUEST, ALICE, &[3]), false),
        (format!("uin/{ALICE}"), user(GUEST, ALICE, &[3]), false),
        ("groupid/3".to_owned(), alice(), true),
        ("groupid/4".to_owned(), alice(), false),
        ("groupid/3".to_owned(), user(GUEST, ALICE, &[3]), false),
        (format!("role/{ROLE_ID}"), role(ROLE_ID, "ops"), true),
        ("role/4611686018427387904".to_owned(), role(ROLE_ID, "ops"), false),
        ("roleName/ops".to_owned(), role(ROLE_ID, "ops"), true),
        ("roleName/Ops".to_owned(), role(ROLE_ID, "ops"), false),
        // A number means what its word says.
        (format!("role/{ALICE}"), alice(), false),
        (format!("uin/{ROLE_ID}"), role(ROLE_ID, "ops"), false),
        (format!("uin/{ROOT}"), user(HOME, ROOT, &[]), true),
        (format!("uin/{ROOT}"), alice(), false),
    ];
    for (last, caller, expected) in cases {
        let verdict = ask(&speaks("allow", &last, ""), caller.clone());
        assert_eq!(verdict == "trusted", expected, "{last} {caller:?}");
    }
    for anyone in [r#""*""#, r#"{"qcs":["qcs::cam::anyone:anyone"]}"#] {
        let statement =
            format!(r#"{{"effect":"allow","action":"sts:AssumeRole","principal":{anyone}}}"#);
        assert_eq!(ask(&statement, user(GUEST, BOB, &[])), "trusted");
    }
    let service = r#"{"effect":"allow","action":"sts:AssumeRole",
      "principal":{"service":["cls.cloud.tencent.com"]}}"#;
    assert_eq!(ask(service, alice()), "not_trusted");
}

#[test]
fn deny_beats_allow_and_conditions_count() {
    // rule D-23
    let alice = || user(HOME, ALICE, &[]);
    let (allow, deny) = (speaks("allow", "root", ""), speaks("deny", &format!("uin/{ALICE}"), ""));
    assert_eq!(ask(&format!("{allow},{deny}"), alice()), "explicit_deny");
    assert_eq!(ask(&format!("{allow},{deny}"), user(HOME, BOB, &[])), "trusted");
    assert_eq!(ask(&deny, user(HOME, BOB, &[])), "not_trusted");
    let other = allow.replace("AssumeRole", "GetFederationToken");
    assert_eq!(ask(&other, alice()), "not_trusted");
    let in_office = r#","condition":{"ip_equal":{"qcs:ip":"10.0.0.0/8"}}"#;
    let from = |address: &str| {
        let mut context = Context::new();
        context.insert("qcs:ip", vec![address.into()]).unwrap();
        context
    };
    let allow = trust(&speaks("allow", "root", in_office));
    let verdict = ask_in(&allow, alice(), from("10.1.2.3"));
    assert_eq!((verdict.reason, verdict.determining), (TrustReason::Trusted, vec![0]));
    assert!(!ask_in(&allow, alice(), from("11.1.2.3")).is_trusted());
    assert!(!ask_in(&allow, alice(), Context::new()).is_trusted());
    // An address that is none: the allow does not count, a deny does (rule C-22).
    let verdict = ask_in(&allow, alice(), from("nowhere"));
    assert_eq!((verdict.reason, verdict.errors), (TrustReason::NotTrusted, vec![(0, 0)]));
    let both = format!("{},{}", speaks("allow", "root", ""), speaks("deny", "root", in_office));
    let verdict = ask_in(&trust(&both), alice(), from("nowhere"));
    assert_eq!((verdict.reason, verdict.determining), (TrustReason::ExplicitDeny, vec![1]));
}

#[test]
fn an_unreadable_trust_policy_trusts_nobody() {
    // rule D-23
    let verdict = ask_in(&unreadable(1), user(HOME, ROOT, &[]), Context::new());
    assert_eq!(verdict.reason, TrustReason::Unreadable);
    // An identity policy names nobody, so it trusts nobody either.
    let verdict = ask_in(&policy(1, ALLOW_ALL), user(HOME, ROOT, &[]), Context::new());
    assert_eq!(verdict.reason, TrustReason::NotTrusted);
}

#[test]
fn the_context_cannot_say_who_calls() {
    // rule D-15
    let is_bob = format!(r#","condition":{{"string_equal":{{"qcs:uin":"{BOB}"}}}}"#);
    let mut context = Context::new();
    context.insert("qcs:uin", vec![ContextValue::from(BOB.to_string().as_str())]).unwrap();
    let policy = trust(&speaks("allow", "root", &is_bob));
    assert!(!ask_in(&policy, user(HOME, ALICE, &[]), context.clone()).is_trusted());
    assert!(ask_in(&policy, user(HOME, BOB, &[]), context).is_trusted());
}

/// Whether alice gets to assume the role: both sides, as the node asks them.
fn assumes(fixture: &mut Fixture, trust_policy: &PolicyInput, resource: &str) -> String {
    let verdict = ask_in(trust_policy, user(HOME, ALICE, &[]), Context::new());
    fixture.granted_by_owner = verdict.is_trusted();
    let own = fixture.ask(ALICE, "sts:AssumeRole", resource);
    format!("{} {own}", verdict.reason.as_str())
}

const MAY_ASSUME: &str = r#"{"effect":"allow","action":"sts:AssumeRole","resource":"*"}"#;

#[test]
fn assuming_a_role_needs_both_sides() {
    // rule D-24; spec examples 44, 45, 46
    let trusts_alice = trust(&speaks("allow", &format!("uin/{ALICE}"), ""));
    let trusts_bob = trust(&speaks("allow", &format!("uin/{BOB}"), ""));
    let mut nothing = Fixture::new([]);
    let line = assumes(&mut nothing, &trusts_alice, ROLE);
    assert_eq!(line, "trusted DENY implicit_deny:identity");
    let mut may = Fixture::of(MAY_ASSUME);
    let line = assumes(&mut may, &trusts_bob, ROLE);
    assert_eq!(line, "not_trusted ALLOW allow identity/1000001#0");
    let line = assumes(&mut may, &trusts_alice, ROLE);
    assert_eq!(line, "trusted ALLOW allow identity/1000001#0");
}

#[test]
fn a_grant_lifts_the_owners_side_only() {
    // rule D-24
    let foreign = "qcs::cam::uin/87654321:role/4611686018427387905";
    let mut fixture = Fixture::of(MAY_ASSUME);
    let ask = |fixture: &Fixture| fixture.ask(ALICE, "sts:AssumeRole", foreign);
    assert_eq!(ask(&fixture), "DENY implicit_deny:resource");
    fixture.granted_by_owner = true;
    assert_eq!(ask(&fixture), "ALLOW allow identity/1000001#0");
    let capped = fixture.boundary(r#"{"effect":"allow","action":"im:*","resource":"*"}"#);
    assert_eq!(ask(&capped), "DENY implicit_deny:boundary");
    let mut nothing = Fixture::new([]);
    nothing.granted_by_owner = true;
    assert_eq!(ask(&nothing), "DENY implicit_deny:identity");
    let mut denied = Fixture::of(&format!("{MAY_ASSUME},{DENY_ALL}"));
    denied.granted_by_owner = true;
    assert_eq!(ask(&denied), "DENY explicit_deny:identity identity/1000001#1");
}

#[test]
fn a_search_among_principals_drops_the_grant() {
    let mut fixture = Fixture::of(MAY_ASSUME);
    fixture.granted_by_owner = true;
    let foreign = "qcs::cam::uin/87654321:role/4611686018427387905";
    let mut request = fixture.request(ROOT, "sts:AssumeRole", foreign).unwrap();
    request.set_principal(ALICE);
    assert!(!request.parts().granted_by_owner);
}
