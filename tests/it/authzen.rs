//! AuthZEN over HTTP: the certification scenario's levels as data, paging, headers, metadata, and
//! searches that find exactly what evaluations allow.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cam::client::{Client, Credential, Incoming, Outgoing};
use crate::command::Served;
use crate::support::repo;

/// A server with the example's account.
struct Pdp {
    client: Client,
    _served: Served,
    _folder: TempDir,
}

impl Pdp {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let example = repo::root().join("examples/authzen");
        copy(&example, folder.path());
        let served = Served::start(folder.path(), &["--dev", "--config", "camgate.toml"]);
        let applied = served.run(folder.path(), &["apply", "account"]);
        assert_eq!(applied.status, 0, "{applied:?}");
        let said = served.said.iter().find(|line| line.contains("HTTP")).unwrap();
        let http = said.split("HTTP ").nth(1).unwrap_or(said);
        let address: SocketAddr = http
            .split(|c: char| !(c.is_ascii_digit() || ".:".contains(c)))
            .find_map(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("no address in {said}"));
        let credential = Credential { id: String::new(), secret: String::new(), token: None };
        Self { client: Client { address, credential }, _served: served, _folder: folder }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Incoming {
        let mut all = vec![("Host".to_owned(), "evil.example".to_owned())];
        all.extend(headers.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let body = body.as_bytes().to_vec();
        let (method, target) = (method.to_owned(), path.to_owned());
        self.client.send(&Outgoing { method, target, headers: all, body }).await
    }

    async fn post(&self, path: &str, body: &Value) -> Incoming {
        let headers = [("Content-Type", "application/json")];
        self.send("POST", &format!("/access/v1/{path}"), &headers, &body.to_string()).await
    }

    async fn answer(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 200, "{body} {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_str(&answer.body).unwrap()
    }

    async fn decides(&self, body: &Value) -> bool {
        self.answer("evaluation", body).await["decision"].as_bool().unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test]
async fn every_level_of_the_certification_scenario_passes() {
    let pdp = Pdp::start();
    let text = fs::read_to_string(repo::root().join("tests/cases/authzen.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 60, "{}", cases.len());
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let path = case["path"].as_str().unwrap();
        let answer = pdp.post(path, &case["body"]).await;
        let status = case["status"].as_u64().unwrap_or(200);
        assert_eq!(u64::from(answer.status), status, "{id}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{id}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        if status != 200 {
            assert!(body["error"]["message"].as_str().is_some_and(|it| !it.is_empty()), "{id}");
            assert_eq!(body["decision"], Value::Null, "{id}");
            continue;
        }
        if let Some(decision) = case["decision"].as_bool() {
            assert_eq!(body["decision"], decision, "{id}: {body}");
            assert!(body["context"]["reason"].is_string(), "{id}: {body}");
        } else if let Some(decisions) = case["decisions"].as_array() {
            let found = body["evaluations"].as_array().unwrap();
            let found: Vec<Value> = found.iter().map(|it| it["decision"].clone()).collect();
            assert_eq!(&found, decisions, "{id}: {body}");
        } else {
            assert_eq!(body["results"], case["results"], "{id}: {body}");
            assert_eq!(body["page"]["next_token"], "", "{id}: {body}");
            if let Some(complete) = case["complete"].as_bool() {
                assert_eq!(body["context"]["complete"], complete, "{id}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn transport_faults_are_400_and_every_answer_has_the_request_id() {
    let pdp = Pdp::start();
    let whole = json!({"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"}});
    let text = whole.to_string();
    let twice = text.replacen('{', r#"{"subject":{"type":"user","id":"bob"},"#, 1);
    let id = ("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716");
    let json = ("Content-Type", "application/json");
    for path in ["evaluation", "evaluations", "search/subject", "search/resource", "search/action"]
    {
        let path = format!("/access/v1/{path}");
        for (headers, body, status) in [
            (vec![id], text.as_str(), 400),
            (vec![("Content-Type", "text/plain"), id], &text, 400),
            (vec![json, id], "{\"subject\"", 400),
            (vec![json, id], "", 400),
            (vec![json, id], "[]", 400),
            (vec![json, id], &twice, 400),
            (vec![("Content-Type", "application/json; charset=utf-8"), id], &text, 200),
        ] {
            let answer = pdp.send("POST", &path, &headers, body).await;
            assert_eq!(answer.status, status, "{path} {body} {answer:?}");
            assert_eq!(answer.header("x-request-id"), Some(id.1), "{path} {answer:?}");
        }
        let answer = pdp.send("GET", &path, &[id], "").await;
        assert_eq!((answer.status, answer.header("x-request-id")), (405, Some(id.1)));
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(pdp.send("POST", "/access/v1/evaluation", &[json], &long).await.status, 413);
    let many: Vec<Value> = (0..101).map(|_| json!({})).collect();
    let mut many = json!({"evaluations": many});
    many["subject"] = whole["subject"].clone();
    let answer = pdp.post("evaluations", &many).await;
    assert!(answer.status == 400 && answer.body.contains("101 entries; at most 100"), "{answer:?}");
    // c-2-6: the same answer each time, and c-2-5-2: without an id.
    for _ in 0..3 {
        assert!(pdp.decides(&whole).await);
    }
}

#[tokio::test]
async fn the_metadata_is_what_the_configuration_says() {
    let pdp = Pdp::start();
    let answer = pdp.send("GET", "/.well-known/authzen-configuration", &[], "").await;
    assert_eq!(answer.status, 200);
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(document["policy_decision_point"], "https://pdp.example.com");
    for (name, path) in [
        ("access_evaluation_endpoint", "/access/v1/evaluation"),
        ("access_evaluations_endpoint", "/access/v1/evaluations"),
        ("search_subject_endpoint", "/access/v1/search/subject"),
        ("search_resource_endpoint", "/access/v1/search/resource"),
        ("search_action_endpoint", "/access/v1/search/action"),
    ] {
        assert_eq!(document[name], format!("https://pdp.example.com{path}"));
    }
}

#[tokio::test]
async fn pages_together_are_the_whole_and_belong_to_their_search() {
    let pdp = Pdp::start();
    let question = json!({"subject": {"type": "user"}, "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"}});
    let whole = pdp.answer("search/subject", &question).await;
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let mut asked = question.clone();
        asked["page"] = json!({"limit": 1});
        if !token.is_empty() {
            asked["page"]["token"] = json!(token);
        }
        let page = pdp.answer("search/subject", &asked).await;
        assert_eq!(page["page"]["count"], page["results"].as_array().unwrap().len());
        found.extend(page["results"].as_array().unwrap().iter().cloned());
        token = page["page"]["next_token"].as_str().unwrap().to_owned();
        // Only the last page says that there is nothing more.
        assert_eq!(page["context"]["complete"], token.is_empty(), "{page}");
        if token.is_empty() {
            break;
        }
        let mut other = asked.clone();
        other["action"]["name"] = json!("write");
        other["page"]["token"] = json!(token);
        assert_eq!(pdp.post("search/subject", &other).await.status, 400);
    }
    assert_eq!(Value::from(found), whole["results"]);
}

/// A search finds exactly the candidates for which an evaluation says yes.
#[tokio::test]
async fn searches_and_evaluations_agree() {
    let pdp = Pdp::start();
    let subjects = ["alice", "bob", "张三"];
    let records = ["record-1", "record-2", "档案-1"];
    let actions = ["delete", "read", "write"];
    for properties in [json!({}), json!({"status": "archived"}), json!({"status": "active"})] {
        for role in [json!({}), json!({"role": "admin"})] {
            for action in actions {
                let mut by_subject = Vec::new();
                for subject in subjects {
                    let mut records_of_one = Vec::new();
                    for record in records {
                        let question = json!({
                            "subject": {"type": "user", "id": subject, "properties": role},
                            "action": {"name": action, "properties": {"soft": true}},
                            "resource": {"type": "record", "id": record, "properties": properties},
                        });
                        if pdp.decides(&question).await {
                            records_of_one.push(json!({"type": "record", "id": record}));
                            if record == "record-2" {
                                by_subject.push(json!({"type": "user", "id": subject}));
                            }
                        }
                    }
                    let search = json!({
                        "subject": {"type": "user", "id": subject, "properties": role},
                        "action": {"name": action, "properties": {"soft": true}},
                        "resource": {"type": "record", "properties": properties},
                    });
                    let found = pdp.answer("search/resource", &search).await;
                    assert_eq!(found["results"], Value::from(records_of_one), "{search}");
                }
                let search = json!({
                    "subject": {"type": "user", "properties": role},
                    "action": {"name": action, "properties": {"soft": true}},
                    "resource": {"type": "record", "id": "record-2", "properties": properties},
                });
                let found = pdp.answer("search/subject", &search).await;
                assert_eq!(found["results"], Value::from(by_subject), "{search}");
            }
        }
    }
}

/// The exchanges of docs/authzen.md are real; `<word>` in an answer stands for any text.
#[tokio::test]
async fn the_page_about_authzen_is_true() {
    let pdp = Pdp::start();
    let text = repo::read("docs/authzen.md");
    let mut blocks = text.split("\n```");
    let mut count = 0;
    while let Some(block) = blocks.next() {
        let Some(request) = block.strip_prefix("http\nPOST /access/v1/") else { continue };
        let (path, body) = request.split_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let answer = pdp.answer(path, &body).await;
        let shown = blocks.find_map(|block| block.strip_prefix("json\n")).unwrap();
        let shown: Value = serde_json::from_str(shown).unwrap();
        assert!(fits(&shown, &answer), "{path} {body}\nshown: {shown}\nreal:  {answer}");
        count += 1;
    }
    assert_eq!(count, 4);
}

fn fits(shown: &Value, real: &Value) -> bool {
    match (shown, real) {
        (Value::String(shown), Value::String(real)) => shown.starts_with('<') || shown == real,
        (Value::Object(shown), Value::Object(real)) => {
            shown.len() == real.len()
                && shown.iter().all(|(name, it)| real.get(name).is_some_and(|real| fits(it, real)))
        }
        (Value::Array(shown), Value::Array(real)) => {
            shown.len() == real.len() && shown.iter().zip(real).all(|(a, b)| fits(a, b))
        }
        _ => shown == real,
    }
}

/// The cases of the example say what the scenario says.
#[test]
fn the_examples_cases_pass() {
    let folder = repo::root().join("examples/authzen");
    let args = ["policy", "test", "account", "--catalog", "records.json"];
    let ran = crate::command::offline(&folder, &args);
    assert_eq!(ran.status, 0, "{ran:?}");
}
