//! iam-rs: the same statements as AWS documents, with the app's name as an ARN.

use iam_rs::{
    Arn, Context, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId,
};

use super::{Asked, of_sets};
use crate::workload::{Question, Workload};

/// The owner, as long as accounts are there.
const ACCOUNT: &str = "000012345678";

fn app(app: u64) -> String {
    format!("arn:aws:im:cn-1:{ACCOUNT}:app/{app}")
}

pub fn prepare(workload: &Workload, questions: &[Question]) -> Asked {
    let evaluators = of_sets(questions, |set| {
        let policies = workload.sets[set].iter().map(|policy| {
            let json = document(workload, *policy, app);
            IAMPolicy::from_json(&json).expect("a policy")
        });
        PolicyEvaluator::with_policies(policies.collect())
    });
    let mut context = Context::new();
    if workload.has_conditions {
        context =
            context.with_string("aws:SourceIp", "10.1.2.3").with_string("aws:UserAgent", "prod");
    }
    let asked: Vec<(usize, [String; 3])> = questions
        .iter()
        .map(|question| {
            let user = format!("arn:aws:iam::{ACCOUNT}:user/{}", question.uin);
            (question.set, [user, question.action.clone(), app(question.app)])
        })
        .collect();
    Box::new(move |at| {
        let (set, [user, action, app]) = &asked[at];
        let request = IAMRequest::new_with_context(
            Principal::Aws(PrincipalId::String(user.clone())),
            action.clone(),
            Arn::parse(app).expect("an ARN"),
            context.clone(),
        );
        let answer = evaluators[*set].evaluate(&request).expect("an answer");
        matches!(answer.decision, Decision::Allow)
    })
}

/// A policy as an AWS document.
pub fn document(workload: &Workload, policy: usize, resource: impl Fn(u64) -> String) -> String {
    aws(workload, policy, resource, |action| workload.actions[action].clone())
}

/// A policy as an AWS document, with actions of another service.
pub fn aws(
    workload: &Workload,
    policy: usize,
    resource: impl Fn(u64) -> String,
    action: impl Fn(usize) -> String,
) -> String {
    let rule = &workload.rules[policy];
    let statement = |effect: &str, actions: &[usize]| {
        let names: Vec<String> = actions.iter().map(|it| action(*it)).collect();
        let mut statement = serde_json::json!({
            "Effect": effect, "Action": names, "Resource": [resource(rule.app)],
        });
        if workload.has_conditions {
            statement["Condition"] = serde_json::json!({
                "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]},
                "StringEquals": {"aws:UserAgent": ["prod", "dev"]},
            });
        }
        statement
    };
    let mut statements = vec![statement("Allow", &rule.allows)];
    statements.extend(rule.denies.map(|denied| statement("Deny", &[denied])));
    serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}
