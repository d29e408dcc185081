//! Rego: the statements are data, and one rule reads them; by the interpreter and by the compiled
//! machine.

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Value};

use super::{Asked, of_sets};
use crate::workload::{Question, Workload};

const RULE: &str = "data.authz.allow";

fn policy(has_conditions: bool) -> String {
    let when = if has_conditions {
        "    some network in [\"10.0.0.0/8\", \"192.168.0.0/16\"]\n    \
         net.cidr_contains(network, input.ip)\n    input.env in [\"prod\", \"dev\"]\n"
    } else {
        ""
    };
    let acts = |name: &str, effect: &str| {
        format!(
            "{name} if {{\n    some statement in data.statements\n    \
             statement.effect == \"{effect}\"\n    statement.app == input.app\n    \
             input.action in statement.actions\n{when}}}\n"
        )
    };
    format!(
        "package authz\nimport rego.v1\n\ndefault allow := false\n\n{}\n{}\n\
         allow if {{\n    permitted\n    not denied\n}}\n",
        acts("permitted", "allow"),
        acts("denied", "deny")
    )
}

fn data(workload: &Workload, set: usize) -> Value {
    let mut statements = Vec::new();
    for policy in &workload.sets[set] {
        let rule = &workload.rules[*policy];
        let names: Vec<&String> = rule.allows.iter().map(|it| &workload.actions[*it]).collect();
        let app = rule.app.to_string();
        statements.push(serde_json::json!({"effect": "allow", "app": app, "actions": names}));
        if let Some(denied) = rule.denies {
            let names = [&workload.actions[denied]];
            statements.push(serde_json::json!({"effect": "deny", "app": app, "actions": names}));
        }
    }
    let json = serde_json::json!({"statements": statements}).to_string();
    Value::from_json_str(&json).expect("data")
}

fn inputs(questions: &[Question]) -> Vec<(usize, Value)> {
    let input = |question: &Question| {
        let json = serde_json::json!({
            "app": question.app.to_string(), "action": question.action,
            "ip": "10.1.2.3", "env": "prod",
        });
        (question.set, Value::from_json_str(&json.to_string()).expect("input"))
    };
    questions.iter().map(input).collect()
}

fn engine(workload: &Workload, set: usize) -> Engine {
    let mut engine = Engine::new();
    let text = policy(workload.has_conditions);
    engine.add_policy("authz.rego".to_owned(), text).expect("a policy");
    engine.add_data(data(workload, set)).expect("data");
    engine
}

pub fn interpreter(workload: &Workload, questions: &[Question]) -> Asked {
    let mut engines = of_sets(questions, |set| engine(workload, set));
    let inputs = inputs(questions);
    Box::new(move |at| {
        let (set, input) = &inputs[at];
        let engine = &mut engines[*set];
        engine.set_input(input.clone());
        engine.eval_rule(RULE.to_owned()).expect("an answer") == Value::from(true)
    })
}

pub fn machine(workload: &Workload, questions: &[Question]) -> Asked {
    let mut machines = of_sets(questions, |set| {
        let compiled = engine(workload, set).compile_with_entrypoint(&RULE.into());
        let compiled = compiled.expect("a policy");
        let program = Compiler::compile_from_policy(&compiled, &[RULE]).expect("a program");
        let mut machine = RegoVM::new();
        machine.load_program(program);
        machine.set_data(data(workload, set)).expect("data");
        machine
    });
    let inputs = inputs(questions);
    Box::new(move |at| {
        let (set, input) = &inputs[at];
        let machine = &mut machines[*set];
        machine.set_input(input.clone());
        machine.execute().expect("an answer") == Value::from(true)
    })
}
