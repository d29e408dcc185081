//! Cedar: a policy for each statement, in one policy set per caller; no entities are needed.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet,
    Request,
};

use super::{Asked, of_sets};
use crate::workload::{Question, Workload};

pub fn prepare(workload: &Workload, questions: &[Question]) -> Asked {
    let sets: Vec<PolicySet> = of_sets(questions, |set| policies(workload, set));
    let json = serde_json::json!({
        "ip": {"__extn": {"fn": "ip", "arg": "10.1.2.3"}}, "env": "prod",
    });
    let context = match workload.has_conditions {
        true => Context::from_json_value(json, None).expect("a context"),
        false => Context::empty(),
    };
    let types = ["User", "Action", "App"].map(|it| it.parse::<EntityTypeName>().expect("a type"));
    let asked: Vec<(usize, [String; 3])> = questions
        .iter()
        .map(|it| (it.set, [it.uin.clone(), it.action.clone(), it.app.to_string()]))
        .collect();
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    Box::new(move |at| {
        let (set, texts) = &asked[at];
        let entity = |at: usize| {
            EntityUid::from_type_name_and_id(types[at].clone(), EntityId::new(&texts[at]))
        };
        let request = Request::new(entity(0), entity(1), entity(2), context.clone(), None);
        let request = request.expect("a request");
        authorizer.is_authorized(&request, &sets[*set], &entities).decision() == Decision::Allow
    })
}

fn policies(workload: &Workload, set: usize) -> PolicySet {
    let when = if workload.has_conditions {
        " when { (context.ip.isInRange(ip(\"10.0.0.0/8\")) \
         || context.ip.isInRange(ip(\"192.168.0.0/16\"))) \
         && (context.env == \"prod\" || context.env == \"dev\") }"
    } else {
        ""
    };
    let mut text = String::new();
    for policy in &workload.sets[set] {
        let rule = &workload.rules[*policy];
        let mut add = |effect: &str, actions: &[usize]| {
            let names: Vec<String> = actions
                .iter()
                .map(|action| format!("Action::\"{}\"", workload.actions[*action]))
                .collect();
            text += &format!(
                "{effect}(principal, action in [{}], resource == App::\"{}\"){when};\n",
                names.join(", "),
                rule.app
            );
        };
        add("permit", &rule.allows);
        if let Some(denied) = rule.denies {
            add("forbid", &[denied]);
        }
    }
    text.parse().expect("policies")
}
