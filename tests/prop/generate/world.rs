//! Accounts with principals of all kinds, groups, boundaries, apps, and what accounts share.

use std::sync::{Arc, LazyLock};

use camgate::catalog::Catalog;
use camgate::engine::{
    AccountInput, AppInput, Attachment, PolicyBody, PolicyInput, PrincipalInput, PrincipalKind,
    Via, World,
};
use camgate::lang;
use camgate::lang::variable::Owner;

use super::dice::Dice;
use super::policy::{Text, policy};

/// The account that everything happens in.
pub const HOME: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };

/// An account with the parts that its policies were written from.
#[derive(Debug, Clone)]
pub struct Account {
    pub input: AccountInput,
    /// Per policy of the input: its statements; empty for one that cannot be read.
    pub texts: Vec<Vec<Text>>,
}

/// The catalog of all generated worlds.
pub fn catalog() -> Arc<Catalog> {
    static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(parse_catalog()));
    Arc::clone(&CATALOG)
}

/// A small catalog with every granularity, a service that knows nothing of apps, and a set.
fn parse_catalog() -> Catalog {
    let im = r#"{"service":"im","name":{"zh":"即时通信","en":"IM"},"source":"test",
      "tag_support":true,"ip_support":true,
      "resource_types":[{"type":"sdkappid","description":{"zh":"应用","en":"App"},
        "template":"qcs::im::uin/${owner_uin}:sdkappid/${id}","registry":"apps"}],
      "actions":[ACTIONS]}"#;
    let action = |name: &str, access: &str, granularity: &str, kind: &str| {
        format!(
            r#"{{"name":"{name}","description":{{"zh":"测","en":"Test"}},"access":"{access}",
              "granularity":"{granularity}","basis":"confirmed"{kind}}}"#
        )
    };
    let app = r#","resource_type":"sdkappid""#;
    let actions = [
        action("CheckIfIMNewUser", "read", "operation", ""),
        action("DescribeConfInfo", "read", "resource", app),
        action("DescribeIMAppList", "list", "list", app),
        action("DescribeUserInfo", "read", "resource", app),
        action("RemoveUser", "write", "resource", app),
        action("SetConfInfo", "write", "resource", app),
    ];
    let im = im.replace("ACTIONS", &actions.join(","));
    let cam = format!(
        r#"{{"service":"cam","name":{{"zh":"访问管理","en":"CAM"}},"source":"test",
          "tag_support":false,"ip_support":true,
          "action_sets":[{{"permid":7,"actions":["im:RemoveUser","cam:CreatePolicy"]}}],
          "actions":[{},{}]}}"#,
        action("CreateGroup", "write", "operation", r#","except_cam_finance":true"#),
        action("CreatePolicy", "write", "operation", ""),
    );
    Catalog::parse(&[("im.json", im.as_bytes()), ("cam.json", cam.as_bytes())]).unwrap()
}

/// A policy input from statements.
pub fn input(id: u64, statements: &[Text]) -> PolicyInput {
    let json = Text::policy_json(statements);
    let valid = lang::load(json.as_bytes())
        .unwrap_or_else(|findings| panic!("the generator wrote {json}: {findings:?}"));
    let name = format!("policy-{id}").into();
    PolicyInput { id, name, version: 1, body: PolicyBody::Valid(Arc::new(valid)) }
}

fn random(dice: &mut Dice<'_>, id: u64) -> (PolicyInput, Vec<Text>) {
    if dice.chance(2) {
        let body = PolicyBody::Unreadable("the record is cut short".to_owned());
        return (PolicyInput { id, name: "broken".into(), version: 3, body }, Vec::new());
    }
    let texts = policy(dice);
    (input(id, &texts), texts)
}

/// What accounts share: now and then a general policy, and two shared ones, ids 1 to 4.
pub fn world(dice: &mut Dice<'_>) -> World {
    let mut general = Vec::new();
    if dice.chance(40) {
        let mut texts = policy(dice);
        // A general policy that denies everything would hide the rest.
        texts.truncate(1);
        texts[0].actions = vec!["im:RemoveUser", "cam:CreatePolicy", "im:NewThing"];
        general.push(input(1, &texts));
    }
    if dice.chance(1) {
        let body = PolicyBody::Unreadable("the file is gone".to_owned());
        general.push(PolicyInput { id: 2, name: "general".into(), version: 1, body });
    }
    let shared = vec![random(dice, 3).0, random(dice, 4).0];
    World::new(catalog(), general, shared)
}

/// An account with policies 1000001 and up.
pub fn account(dice: &mut Dice<'_>) -> Account {
    let (mut policies, mut texts) = (Vec::new(), Vec::new());
    for id in 1_000_001..1_000_001 + u64::try_from(2 + dice.below(6)).unwrap() {
        let (policy, text) = random(dice, id);
        policies.push(policy);
        texts.push(text);
    }
    // Two ids that may be nobody's, and the shared ones.
    let known: Vec<u64> = policies.iter().map(|it| it.id).chain([3, 4, 1_000_099]).collect();
    let mut principals = vec![principal(dice, HOME.uin, PrincipalKind::Root, &known)];
    let kinds = [
        PrincipalKind::SubUser,
        PrincipalKind::WecomSubUser,
        PrincipalKind::Collaborator,
        PrincipalKind::SubUser,
        PrincipalKind::MessageRecipient,
    ];
    for (place, kind) in kinds.into_iter().enumerate() {
        let uin = 100_000_000_011 + u64::try_from(place).unwrap();
        principals.push(principal(dice, uin, kind, &known));
    }
    let mut apps = Vec::new();
    for sdkappid in [1_400_000_003, 1_400_000_001, 1_400_000_002] {
        if dice.chance(80) {
            apps.push(AppInput { sdkappid, tags: tags(dice) });
        }
    }
    let revision = 7;
    let input = AccountInput { owner: HOME, revision, principals, policies, apps };
    Account { input, texts }
}

fn tags(dice: &mut Dice<'_>) -> Vec<(String, String)> {
    let all = [("env", "dev"), ("env", "prod"), ("dept", "部门"), ("env", "")];
    let tags = all.into_iter().filter(|_| dice.chance(35));
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn principal(dice: &mut Dice<'_>, uin: u64, kind: PrincipalKind, known: &[u64]) -> PrincipalInput {
    let count = dice.below(5);
    let attachment = |dice: &mut Dice<'_>| {
        let via = match dice.below(3) {
            0 => Via::Group { id: 7, name: "ops".into() },
            1 => Via::Group { id: 8, name: "部门".into() },
            _ => Via::Direct,
        };
        Attachment { policy_id: dice.pick(known), via }
    };
    let attachments = (0..count).map(|_| attachment(dice)).collect();
    let boundary = dice.chance(25).then(|| dice.pick(known));
    PrincipalInput { uin, kind, attachments, boundary }
}
