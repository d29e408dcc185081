//! Requests that a generated account has something to say about.

use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::engine::{CompiledPolicy, Request, RequestParts, Resource};
use camgate::lang::action::ActionName;

use super::condition::context;
use super::dice::Dice;
use super::policy::policy;
use super::world::input;

const RESOURCES: [&str; 17] = [
    "qcs::im::uin/12345678:sdkappid/1400000001",
    "qcs::im::uin/12345678:sdkappid/1400000002",
    "qcs::im:::sdkappid/1400000001",
    "*",
    "qcs::im::uin/:sdkappid/1400000003",
    "qcs::im::uid/1250000001:sdkappid/1400000002",
    "qcs::im:ap-shanghai::sdkappid/1400000001",
    "qcs::im::uin/12345678:sdkappid/1400000009",
    "qcs::im:::sdkappid/*",
    "qcs::im:::q/100000000011",
    "qcs::im:::q/12345678",
    "qcs::im:::群/一:二/三",
    "qcs::im::uin/99999999:sdkappid/1400000001",
    "qcs::im::uid/1250000009:sdkappid/1400000001",
    "qcs::::uin/12345678:sdkappid/1400000002",
    "qcs::trtc:::sdkappid/1400000001",
    "*",
];
const ACTIONS: [&str; 12] = [
    "im:DescribeConfInfo",
    "im:DescribeConfInfo",
    "im:RemoveUser",
    "im:SetConfInfo",
    "im:DescribeIMAppList",
    "im:DescribeIMAppList",
    "im:CheckIfIMNewUser",
    "cam:CreateGroup",
    "cam:CreatePolicy",
    "billing:Pay",
    "trtc:DescribeAppStat",
    "im:NewThing",
];

/// A request of one of the account's principals, or of nobody.
pub fn request(dice: &mut Dice<'_>, catalog: &Catalog) -> Request {
    let uins = [100_000_000_011, 100_000_000_012, 100_000_000_013, 100_000_000_014];
    let principal = match dice.below(20) {
        0 => 100_000_000_015,
        1 => 999,
        2..=4 => 12_345_678,
        _ => dice.pick(&uins),
    };
    let action = dice.pick(&ACTIONS);
    let resource = match action {
        "im:DescribeIMAppList" => dice.pick(&["*", "", RESOURCES[0]]),
        "im:CheckIfIMNewUser" | "cam:CreateGroup" if dice.chance(70) => "*",
        _ => dice.pick(&RESOURCES),
    };
    let session = if dice.chance(15) { 1 + dice.below(2) } else { 0 };
    let session = (0..session).map(|place| {
        let mut texts = policy(dice);
        if dice.chance(60) {
            texts[0].actions = vec!["*"];
            texts[0].resources = vec!["*"];
        }
        let id = u64::try_from(place).unwrap();
        Arc::new(CompiledPolicy::new(input(id, &texts), catalog))
    });
    let session = session.collect();
    let parts = RequestParts {
        principal,
        action: ActionName::parse(action).unwrap(),
        resource: Resource::parse(resource).unwrap(),
        context: context(dice),
        now: dice.pick(&["2026-01-31T08:00:00Z", "2026-02-01T00:00:00Z"]).parse().unwrap(),
        session,
        registered_owner: dice.chance(5).then_some(99_999_999),
        granted_by_owner: dice.chance(30),
        accepts_filter: dice.chance(50),
    };
    Request::check(parts, catalog).unwrap()
}
