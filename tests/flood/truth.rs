//! Random questions about an account, and what the reference reading says to each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use camgate::catalog::Catalog;
use camgate::directory::folder::Folder;
use camgate::directory::{Presets, snapshot_input};
use camgate::engine::{AccountInput, Outcome, Request, RequestParts, Resource, World, reference};
use camgate::lang::action::ActionName;
use camgate::lang::condition::{Context, ContextValue};
use camgate::service::proto;
use jiff::Timestamp;

use crate::repo::{files, read};

/// The account, as files.
const FOLDER: &str = "policies/examples/im-department";
pub(crate) const OWNER: u64 = 12_345_678;
pub(crate) const APP_ID: u64 = 1_250_000_001;
const APPS: [u64; 3] = [1_400_000_000, 1_400_000_001, 1_400_000_002];
/// Different questions.
const QUESTIONS: usize = 4_000;

/// A question with its right answer.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) asked: proto::CheckRequest,
    pub(crate) expected: proto::Outcome,
}

/// Numbers that are the same in each run.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below a limit: splitmix64.
    pub(crate) fn below(&self, limit: usize) -> usize {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn of<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The files of the account.
pub(crate) fn folder() -> Vec<proto::FolderFile> {
    let inner = |path: &String| path.strip_prefix(&format!("{FOLDER}/")).unwrap().to_owned();
    let file =
        |path: &String| proto::FolderFile { path: inner(path), content: read(path).into_bytes() };
    files(FOLDER).iter().map(file).collect()
}

/// What the reference reads.
struct Account {
    input: AccountInput,
    world: World,
    /// By name: the folder's uins.
    users: BTreeMap<String, u64>,
}

impl Account {
    fn read() -> Self {
        let (presets, catalog) = (Presets::built_in(), Catalog::builtin());
        let files = folder().into_iter().map(|file| (file.path, file.content)).collect();
        let folder = Folder::parse(&files).unwrap();
        let state = folder.state(&presets, catalog).unwrap();
        let general = presets.general_input();
        let world = World::new(Arc::new(catalog.clone()), general, presets.shared_input());
        let input = snapshot_input(&state, &presets, 1).unwrap();
        let users = folder.sub_accounts.iter().map(|(uin, it)| (it.name.clone(), *uin)).collect();
        Self { input, world, users }
    }
}

/// Questions, and what is right. `uins` are the server's, by name.
pub(crate) fn questions(uins: &BTreeMap<String, u64>) -> Vec<Question> {
    let account = Account::read();
    let dice = Dice::new(7);
    let mut names: Vec<&str> = account.users.keys().map(String::as_str).collect();
    // Nobody's name: the root.
    names.push("");
    let catalog = Catalog::builtin();
    let actions = [
        "im:DescribeConfInfo",
        "im:SetConfInfo",
        "im:DeleteSdkappid",
        "im:CreateSdkappid",
        "im:DescribeIMAppList",
        "im:StopSdkappid",
        "cam:ListUsers",
        "cam:CreatePolicy",
        "sts:AssumeRole",
        "cvm:RunInstances",
    ];
    let ips = ["", "10.1.2.3", "8.8.8.8", "192.168.0.7", "2001:db8::1"];
    let mut questions = Vec::with_capacity(QUESTIONS);
    while questions.len() < QUESTIONS {
        let name = *dice.of(&names);
        let action = *dice.of(&actions);
        let app = *dice.of(&APPS);
        let resource = match dice.below(3) {
            0 => "*".to_owned(),
            _ => format!("qcs::im::uin/{OWNER}:sdkappid/{app}"),
        };
        let ip = *dice.of(&ips);
        let uin = account.users.get(name).copied().unwrap_or(OWNER);
        let mut context = Context::default();
        if !ip.is_empty() {
            context.insert("qcs:ip", vec![ContextValue::from(ip)]).unwrap();
        }
        let names_app = resource != "*";
        let parts = RequestParts {
            principal: uin,
            action: ActionName::parse(action).unwrap(),
            resource: Resource::parse(&resource).unwrap(),
            context,
            now: Timestamp::now(),
            session: Vec::new(),
            registered_owner: names_app.then_some(OWNER),
            granted_by_owner: false,
            accepts_filter: false,
        };
        let Ok(request) = Request::check(parts, catalog) else { continue };
        let decision = reference::decide(&account.input, &account.world, &request);
        let expected = match decision.outcome {
            Outcome::Allow => proto::Outcome::Allow,
            Outcome::Deny => proto::Outcome::Deny,
        };
        let uin = uins.get(name).copied().unwrap_or(OWNER);
        questions.push(Question { asked: asked(uin, action, &resource, ip), expected });
    }
    let allowed = questions.iter().filter(|it| it.expected == proto::Outcome::Allow).count();
    assert!((QUESTIONS / 10..QUESTIONS * 9 / 10).contains(&allowed), "{allowed} are allowed");
    questions
}

fn asked(uin: u64, action: &str, resource: &str, ip: &str) -> proto::CheckRequest {
    let value = |text: &str| proto::ContextValues {
        values: vec![proto::ContextValue {
            value: Some(proto::context_value::Value::Text(text.to_owned())),
        }],
    };
    let given = (!ip.is_empty()).then(|| ("qcs:ip".to_owned(), value(ip)));
    let id = Some(proto::principal::Id::Uin(uin));
    proto::CheckRequest {
        principal: Some(proto::Principal { id, owner_uin: OWNER }),
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: given.into_iter().collect(),
        ..proto::CheckRequest::default()
    }
}
