//! Every described action answers as described, or says by name that it is not supported; and the
//! table of the documents is the description's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use camgate::service::cam::description::{Action, Description, Field, Kind, Service};
use serde_json::{Value, json};

use super::CamServer;
use super::client::{CAM, STS};
use crate::support::repo::read;

/// A value of a field's type, accepted by its limits.
fn sample(service: &Service, field: &Field) -> Value {
    let one = match &field.kind {
        Kind::String => json!(field.values.first().map_or("AKIDnothing0000000000", |it| it)),
        Kind::Integer => json!(field.min.unwrap_or(7)),
        Kind::Boolean => json!(false),
        Kind::Structure(name) => object(service, &service.structure(name).unwrap().fields),
    };
    if field.list { json!([one]) } else { one }
}

fn object(service: &Service, fields: &[Field]) -> Value {
    fields.iter().map(|field| (field.name.clone(), sample(service, field))).collect()
}

/// All parameters of an action, or the required ones; of each choice the first.
fn params(service: &Service, action: &Action, all: bool) -> Value {
    let chosen = |field: &&Field| {
        let mut choices = action.any_of.iter().chain(&action.one_of);
        let is_first = choices.any(|group| group.first() == Some(&field.name));
        let is_exclusive = action.one_of.iter().any(|group| group.contains(&field.name));
        field.required || is_first || (all && !is_exclusive)
    };
    let fields: Vec<Field> = action.request.iter().filter(chosen).cloned().collect();
    object(service, &fields)
}

#[tokio::test]
async fn every_described_action_answers_as_described() {
    let server = CamServer::start().await;
    let description = Description::embedded().unwrap();
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    for (name, version) in [CAM, STS] {
        let service = description.service(name).unwrap();
        for action in &service.actions {
            for all in [false, true] {
                let params = params(service, action, all);
                let request = server.root.post((name, version), &action.name, &params);
                let code = server.root.send(&request).await.code();
                if action.unsupported.is_some() {
                    assert_eq!(code, "UnsupportedOperation", "{}", action.name);
                } else {
                    // An answer that is not as described, or no handler, is an internal error.
                    let refused = [
                        "InternalError",
                        "UnsupportedOperation",
                        "InvalidAction",
                        "UnknownParameter",
                        "MissingParameter",
                        "InvalidParameter",
                    ];
                    assert!(!refused.contains(&code.as_str()), "{} {params}: {code}", action.name);
                }
                *codes.entry(code).or_default() += 1;
            }
        }
    }
    assert!(codes[""] > 20, "many succeed: {codes:?}");
    server.stop().await;
}

/// The table of the documents.
fn markdown(description: &Description) -> String {
    let mut text = String::new();
    for service in &description.services {
        let built = service.actions.iter().filter(|it| it.unsupported.is_none()).count();
        let (name, version, all) = (&service.service, &service.version, service.actions.len());
        writeln!(text, "### `{name}`, version `{version}`: {built} of {all} actions\n").unwrap();
        text.push_str("| chapter | action | supported |\n|---|---|---|\n");
        for action in &service.actions {
            let Action { family, name, unsupported, .. } = action;
            let answer = unsupported.as_ref().map_or("yes".into(), |why| format!("no: {why}"));
            writeln!(text, "| {family} | `{name}` | {answer} |").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_document_lists_every_action() {
    let text = read("docs/cam-api.md");
    let (_, rest) = text.split_once("<!-- actions:begin -->\n").unwrap();
    let (printed, _) = rest.split_once("<!-- actions:end -->").unwrap();
    let table = markdown(&Description::embedded().unwrap());
    assert_eq!(printed, table, "docs/cam-api.md must hold this table:\n{table}");
}
