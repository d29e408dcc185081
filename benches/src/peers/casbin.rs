//! Casbin: one line for each action of each statement; conditions stand in the matcher, because all
//! statements have the same.

use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};

use super::{Asked, of_sets};
use crate::workload::{Question, Workload};

pub fn prepare(workload: &Workload, questions: &[Question]) -> Asked {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let enforcers = of_sets(questions, |set| runtime.block_on(enforcer(workload, set)));
    let has_conditions = workload.has_conditions;
    let requests: Vec<(usize, String, String)> = questions
        .iter()
        .map(|question| (question.set, question.app.to_string(), question.action.clone()))
        .collect();
    Box::new(move |at| {
        let (set, app, action) = &requests[at];
        let enforcer = &enforcers[*set];
        let answer = if has_conditions {
            enforcer.enforce((app.as_str(), action.as_str(), "10.1.2.3", "prod"))
        } else {
            enforcer.enforce((app.as_str(), action.as_str()))
        };
        answer.expect("an answer")
    })
}

async fn enforcer(workload: &Workload, set: usize) -> Enforcer {
    let (request, when) = if workload.has_conditions {
        (
            "obj, act, ip, env",
            " && (ipMatch(r.ip, \"10.0.0.0/8\") || ipMatch(r.ip, \"192.168.0.0/16\")) \
             && (r.env == \"prod\" || r.env == \"dev\")",
        )
    } else {
        ("obj, act", "")
    };
    let model = format!(
        "[request_definition]\nr = {request}\n[policy_definition]\np = obj, act, eft\n\
         [policy_effect]\ne = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n\
         [matchers]\nm = r.obj == p.obj && r.act == p.act{when}\n"
    );
    let model = DefaultModel::from_str(&model).await.expect("a model");
    let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
    let mut lines = Vec::new();
    for policy in &workload.sets[set] {
        let rule = &workload.rules[*policy];
        let mut add = |action: usize, effect: &str| {
            let action = workload.actions[action].clone();
            lines.push(vec![rule.app.to_string(), action, effect.to_owned()]);
        };
        rule.allows.iter().for_each(|action| add(*action, "allow"));
        rule.denies.iter().for_each(|action| add(*action, "deny"));
    }
    lines.sort();
    lines.dedup();
    enforcer.add_policies(lines).await.expect("policies");
    enforcer
}
