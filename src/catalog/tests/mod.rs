//! Tests of the embedded catalogs against the documents, and of the look-ups.

mod files;

use super::*;
use crate::lang::vocabulary::{Access, ActionFacts, Granularity, Sensitivity, Vocabulary};

fn im(name: &str) -> &'static Action {
    Catalog::builtin().action("im", name).unwrap()
}

/// The names of IM's actions that satisfy `wanted`, in order.
fn im_names(wanted: impl Fn(&Action) -> bool) -> Vec<&'static str> {
    let actions = Catalog::builtin().actions_of("im").iter();
    actions.filter(|it| wanted(it)).map(|it| &*it.name).collect()
}

#[test]
fn builtin_has_the_documented_actions() {
    let catalog = Catalog::builtin();
    assert_eq!(catalog.actions_of("im").len(), 218);
    assert_eq!(catalog.actions_of("cam").len(), 95);
    assert_eq!(catalog.actions_of("sts").len(), 7);
    assert_eq!(catalog.len(), 320);
    assert!(!catalog.is_empty() && Catalog::default().is_empty());
    let services: Vec<_> = catalog.services().map(|it| &*it.abbreviation).collect();
    assert_eq!(services, ["cam", "im", "sts"]);
    assert!(catalog.actions_of("cvm").is_empty());
}

#[test]
fn im_read_prefixes_and_access_agree() {
    // rule D-16; the counts are those of the manual's list
    let reads = im_names(|it| read_only_action(&it.name));
    assert_eq!(reads.len(), 137);
    assert_eq!(im_names(|it| it.access != Access::Write), reads);
    for (prefix, count) in [
        ("Describe", 110),
        ("Export", 12),
        ("Search", 4),
        ("Check", 4),
        ("Query", 3),
        ("Verify", 2),
        ("Get", 1),
        ("Download", 1),
    ] {
        assert_eq!(im_names(|it| it.name.starts_with(prefix)).len(), count, "{prefix}");
    }
}

#[test]
fn im_granularity_is_the_documented_one() {
    assert_eq!(
        im_names(|it| it.granularity == Granularity::List),
        [
            "DescribeCloudSdkappidList",
            "DescribeIMAppList",
            "DescribeIndependentAppList",
            "DescribeSdkAppid"
        ]
    );
    assert_eq!(
        im_names(|it| it.granularity == Granularity::Operation),
        [
            "CheckIfIMNewUser",
            "DescribeBizTypes",
            "DescribeCustomerStatus",
            "DescribeCustomerType",
            "DescribeIMAnnouncement",
            "DescribeUploadSign",
            "RegisterIMApp",
            "UpdateNewUserStep"
        ]
    );
    for name in ["CheckIfIMNewUser", "DescribeBizTypes", "AddImAgent", "CheckDev"] {
        assert_eq!(im(name).basis, Basis::Confirmed, "{name}");
    }
    // The other two of the manual's four, chat-bot models, are not among the 218.
    let regional = im_names(|it| it.region_scoped);
    assert_eq!(regional, ["DescribeApiFrequency", "DescribeAuditSubmitStatistic"]);
    assert!(im("AddDirtyWords").note.as_deref().unwrap().contains("`uin/` without a number"));
}

#[test]
fn im_sensitive_actions_are_the_documented_ones() {
    let exports = im_names(|it| it.sensitive == Some(Sensitivity::Export));
    assert_eq!(exports, im_names(|it| it.name.starts_with("Export")));
    assert_eq!(
        im_names(|it| it.sensitive == Some(Sensitivity::Key)),
        [
            "CreateSecret",
            "CreateSecretUserSig",
            "DescribeIdentifyInfo",
            "DescribePushSecret",
            "DescribeSecret",
            "DownloadAuthenticateMutually",
            "UpdateSecret"
        ]
    );
}

#[test]
fn im_app_names_follow_the_template() {
    let service = Catalog::builtin().service("im").unwrap();
    assert_eq!(&*service.name.zh, "即时通信 IM");
    let app = service.resource_type("sdkappid").unwrap();
    assert_eq!(app.registry, Some(Registry::Apps));
    assert_eq!(app.name_of(12345678, "1400000001"), "qcs::im::uin/12345678:sdkappid/1400000001");
    assert_eq!(app.template(), "qcs::im::uin/${owner_uin}:sdkappid/${id}");
    assert!(service.resource_type("group").is_none());
    assert_eq!(service.resource_types().len(), 1);
    for action in Catalog::builtin().actions_of("im") {
        let typed = action.granularity != Granularity::Operation;
        assert_eq!(action.resource_type.as_deref(), typed.then_some("sdkappid"), "{}", action.name);
    }
}

#[test]
fn cam_and_sts_granularity_is_the_documented_one() {
    let catalog = Catalog::builtin();
    let by_resource = |service: &str| {
        let actions = catalog.actions_of(service).iter();
        let by_resource = actions.filter(|it| it.granularity == Granularity::Resource);
        by_resource.map(|it| it.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(by_resource("cam"), ["BuildDataFlowAuthToken", "CreateAccessKey"]);
    let assume = ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"];
    assert_eq!(by_resource("sts"), assume);
    let role = catalog.service("sts").unwrap().resource_type("role").unwrap();
    assert_eq!(role.name_of(7, "4611686018427397919"), "qcs::cam::uin/7:role/4611686018427397919");
    // rule D-19: exempted by the preset's page, as far as they exist
    let exempted = catalog.all_actions().iter().filter(|it| it.except_cam_finance);
    let exempted: Vec<_> = exempted.map(Action::qualified_name).collect();
    assert_eq!(exempted, ["cam:AddUserToGroup", "cam:CreateGroup"]);
    assert_eq!(catalog.action("cam", "CreateAccessKey").unwrap().sensitive, Some(Sensitivity::Key));
}

#[test]
fn descriptions_survive_in_both_languages() {
    let secret = &im("DescribeSecret").description;
    assert_eq!((&*secret.zh, &*secret.en), ("获取密钥信息", "Gets the app's keys"));
    for action in Catalog::builtin().all_actions() {
        let name = action.qualified_name();
        let chinese = |it: char| ('\u{4e00}'..='\u{9fff}').contains(&it);
        assert!(action.description.zh.chars().any(chinese), "{name}");
        let english = &action.description.en;
        assert!(english.is_ascii() && english.contains(' '), "{name}: {english}");
    }
}

#[test]
fn ids_are_dense_and_in_order() {
    let catalog = Catalog::builtin();
    let mut previous = None;
    for (index, action) in catalog.all_actions().iter().enumerate() {
        assert_eq!(action.id.index(), index);
        assert_eq!(catalog.action_id(&action.service, &action.name), Some(action.id));
        assert_eq!(catalog.action_by_id(action.id), Some(action));
        let key = Some((&action.service, &action.name));
        assert!(previous < key, "{key:?}");
        previous = key;
    }
    assert_eq!(catalog.action_by_id(ActionId(320)), None);
    assert_eq!(catalog.action_id("im", "RemoveUser"), None);
}

#[test]
fn case_twin_finds_only_what_differs_in_case() {
    // rules A-05 and D-18
    let catalog = Catalog::builtin();
    for (service, name, expected) in [
        ("im", "describeConfInfo", Some("im:DescribeConfInfo")),
        ("IM", "DescribeConfInfo", Some("im:DescribeConfInfo")),
        ("im", "DescribeSDKAppID", Some("im:DescribeSdkAppid")),
        ("im", "DescribeConfInfo", None),
        ("im", "RemoveUser", None),
        ("trtc", "describeconfinfo", None),
        ("im", "", None),
    ] {
        let twin = catalog.case_twin(service, name).map(Action::qualified_name);
        assert_eq!(twin.as_deref(), expected, "{service}:{name}");
    }
}

#[test]
fn nearest_is_bounded_and_stable() {
    let catalog = Catalog::builtin();
    for (service, name, expected) in [
        ("im", "DescribeConfInf", Some("im:DescribeConfInfo")),
        ("im", "DescribelmAgent", Some("im:DescribeImAgent")),
        ("im", "describeconfinfo", Some("im:DescribeConfInfo")),
        ("imm", "DescribeConfInfo", Some("im:DescribeConfInfo")),
        ("IM", "SetConfInfo", Some("im:SetConfInfo")),
        ("cam", "GetUsr", Some("cam:GetUser")),
        ("im", "RemoveUser", None),
        ("im", "", None),
        ("trtc", "DescribeConfInfo", None),
        ("im", "获取密钥", None),
    ] {
        assert_eq!(catalog.nearest(service, name).as_deref(), expected, "{service}:{name}");
    }
    assert_eq!(catalog.nearest("im", &"D".repeat(1_000_000)), None);
}

#[test]
fn can_carry_knows_what_reaches_a_decision() {
    let catalog = Catalog::builtin();
    for (service, name, key, expected) in [
        ("im", "DescribeConfInfo", "qcs:resource_tag", true),
        ("im", "DescribeIMAppList", "qcs:resource_tag", true),
        ("im", "DescribeIMAppList", "qcs:tag/team", true),
        ("im", "RegisterIMApp", "qcs:resource_tag", false),
        ("im", "RegisterIMApp", "qcs:tag/team", false),
        ("im", "RegisterIMApp", "qcs:tag", false),
        ("im", "DescribeConfInfo", "qcs:request_tag", false),
        ("im", "RegisterIMApp", "qcs:ip", true),
        ("im", "RegisterIMApp", "qcs:current_time", true),
        ("im", "RegisterIMApp", "qcs:mfa", true),
        ("im", "RegisterIMApp", "mfa", true),
        ("im", "RegisterIMApp", "qcs:uin", true),
        ("im", "RegisterIMApp", "qcs:read_only_action", true),
        ("im", "RegisterIMApp", "qcs:create_uin", true),
        ("im", "DescribeConfInfo", "cos:versionid", false),
        ("im", "DescribeConfInfo", "im:channel", true),
        ("im", "DescribeConfInfo", "authzen:subject.department", true),
        ("im", "DescribeConfInfo", "oidc:sub", false),
        ("sts", "AssumeRoleWithWebIdentity", "oidc:sub", true),
        ("cam", "CreateAccessKey", "qcs:resource_tag", false),
        ("im", "RemoveUser", "cos:versionid", true),
        ("cos", "GetObject", "im:channel", true),
    ] {
        assert_eq!(catalog.can_carry(service, name, key), expected, "{service}:{name} {key}");
    }
}

#[test]
fn vocabulary_lists_in_order() {
    let catalog = Catalog::builtin();
    let key = |it: ActionFacts<'_>| (it.service.to_owned(), it.name.to_owned());
    let all: Vec<_> = catalog.actions(None).map(key).collect();
    assert_eq!(all.len(), 320);
    assert!(all.is_sorted());
    assert_eq!(catalog.actions(Some("sts")).count(), 7);
    assert_eq!(catalog.actions(Some("nosuch")).count(), 0);
    let facts = Vocabulary::action(catalog, "im", "DescribeSecret").unwrap();
    assert_eq!(facts.sensitive, Some(Sensitivity::Key));
    assert_eq!(facts.granularity, Granularity::Resource);
    assert!(Vocabulary::action(catalog, "im", "describeSecret").is_none()); // rule A-05
}
