//! The story of the gate over the command line: real policies, a real server, `kill -9`, restart.

use std::fs;
use std::path::Path;

use crate::command::{Served, offline};

const POLICY: &str = r#"{
  "version": "2.0",
  "statement": [
    {
      "effect": "allow",
      "action": "name/im:*",
      "resource": [
        "qcs::im::uin/12345678:sdkappid/1400000001",
        "qcs::im::uin/12345678:sdkappid/1400000002"
      ]
    },
    {
      "effect": "deny",
      "action": "name/im:RemoveUser",
      "resource": "qcs::im::uin/12345678:sdkappid/1400000001"
    }
  ]
}
"#;

/// Who, action, resource, outcome, reason, determining statement.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, Option<u64>);

/// Rules D-01, D-04, D-06, D-07, D-08, R-03.
const QUESTIONS: [Row; 9] = [
    ("alice", "im:DescribeConfInfo", "1400000001", "ALLOW", "allow", Some(0)),
    ("alice", "im:RemoveUser", "1400000001", "DENY", "explicit_deny", Some(1)),
    ("alice", "im:RemoveUser", "1400000002", "ALLOW", "allow", Some(0)),
    ("alice", "im:DescribeConfInfo", "1400000000", "DENY", "implicit_deny", None),
    ("alice", "im:CheckIfIMNewUser", "*", "DENY", "implicit_deny", None),
    ("alice", "trtc:DescribeAppStatList", "1400000001", "DENY", "implicit_deny", None),
    ("bob", "im:DescribeConfInfo", "1400000001", "DENY", "implicit_deny", None),
    ("root", "im:DescribeConfInfo", "1400000001", "ALLOW", "root", None),
    ("root", "im:DescribeConfInfo", "other", "DENY", "implicit_deny", None),
];

fn ask_all(server: &Served, folder: &Path) {
    for (who, action, app, outcome, reason, statement) in QUESTIONS {
        let service = action.split(':').next().unwrap();
        let resource = match app {
            "*" => "*".to_owned(),
            "other" => "qcs::im::uin/87654321:sdkappid/1500000000".to_owned(),
            app => format!("qcs::{service}::uin/12345678:sdkappid/{app}"),
        };
        let question =
            ["--principal", who, "--action", action, "--resource", &resource, "--output", "json"];
        let ran = server.run(folder, &[&["check"], &question[..]].concat());
        let decision = ran.json();
        assert_eq!(decision["outcome"], outcome, "{who} {action} {app}: {ran:?}");
        assert_eq!(decision["reason"], reason, "{who} {action} {app}: {ran:?}");
        assert_eq!(ran.status, i32::from(outcome == "DENY"), "{ran:?}");
        let determining = decision["determining"][0]["statement"].as_u64();
        assert_eq!(determining, statement, "{who} {action} {app}: {ran:?}");
        let explained = server.run(folder, &[&["explain"], &question[..]].concat());
        assert_eq!(explained.json()["decision"]["outcome"], outcome, "{explained:?}");
    }
}

#[test]
fn answers_are_the_same_after_kill_and_restart() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("team.json"), POLICY).unwrap();
    let server = Served::start(folder, &["--dev"]);
    assert!(server.said.iter().any(|line| line.contains("created root account 12345678")));
    for args in [
        &["user", "create", "alice"][..],
        &["user", "create", "bob"],
        &["policy", "create", "app-team", "team.json"],
        &["policy", "attach", "app-team", "--user", "alice"],
    ] {
        let ran = server.run(folder, args);
        assert_eq!(ran.status, 0, "{args:?}: {ran:?}");
    }
    ask_all(&server, folder);
    let stored = server.run(folder, &["policy", "get", "app-team", "--output", "json"]).json();
    // rule L-12
    assert_eq!(stored["policy"]["document"], POLICY);
    server.kill();
    let server = Served::start(folder, &["--dev"]);
    assert!(!server.said.iter().any(|line| line.contains("created root account")));
    ask_all(&server, folder);
    #[cfg(unix)]
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_folder_answers_offline_as_the_server_does_after_applying_it() {
    let directory = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples");
    let example = examples.join("app-isolation").display().to_string();
    let server = Served::start(directory.path(), &["--dev", "--store", "memory"]);
    let plan = server.run(directory.path(), &["plan", &example]);
    assert_eq!(plan.status, 1, "{plan:?}");
    assert!(plan.out.contains("widens"), "{plan:?}");
    let applied = server.run(directory.path(), &["apply", &example]);
    assert_eq!(applied.status, 0, "{applied:?}");
    let plan = server.run(directory.path(), &["plan", &example]);
    assert_eq!((plan.status, plan.out.contains("nothing to change")), (0, true), "{plan:?}");
    for app in ["1400000000", "1400000001", "1400000002"] {
        for action in ["im:SetConfInfo", "im:DeleteSdkappid", "im:DescribeConfInfo"] {
            let resource = format!("qcs::im::uin/12345678:sdkappid/{app}");
            let question = ["--principal", "alice", "--action", action, "--resource", &resource];
            let json = ["--output", "json"];
            let online =
                server.run(directory.path(), &[&["check"], &question[..], &json[..]].concat());
            let folder = ["--folder", &example];
            let offline = offline(
                directory.path(),
                &[&["check"], &question[..], &folder[..], &json[..]].concat(),
            );
            assert_eq!(online.json()["outcome"], offline.json()["outcome"], "{action} {app}");
            assert_eq!(online.json()["reason"], offline.json()["reason"], "{action} {app}");
            assert_eq!(online.status, offline.status);
        }
    }
    let exported = server.run(directory.path(), &["pull", "out"]);
    assert_eq!(exported.status, 0, "{exported:?}");
    let plan = server.run(directory.path(), &["plan", "out"]);
    assert_eq!(plan.status, 0, "{plan:?}");
}

#[test]
fn serve_refuses_settings_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("bad.toml"), "polices = []").unwrap();
    fs::write(folder.join("catalog.json"), "{}").unwrap();
    let running = Served::start(folder, &["--store", "sled:taken"]);
    for (args, status, part) in [
        (&["serve", "--grpc", "0.0.0.0:0"][..], 2, "neither TLS nor authentication"),
        (&["serve", "--config", "bad.toml"], 2, "did you mean `policies`?"),
        (&["serve", "--config", "none.toml"], 2, "cannot read the configuration"),
        (&["serve", "--http", "127.0.0.1:0", "--grpc", &running.address], 3, "cannot listen"),
        (&["serve", "--catalog", "catalog.json"], 2, "cannot use the catalog"),
        (&["serve", "--http", "[::]:0"], 2, "other machines can reach"),
        (&["serve", "--grpc", "127.0.0.1:0", "--store", "sled:taken"], 3, "taken"),
    ] {
        let ran = offline(folder, args);
        assert_eq!(ran.status, status, "{args:?}: {ran:?}");
        assert!(ran.err.contains(part), "{args:?}: {ran:?}");
    }
}

#[test]
fn init_makes_the_first_account_and_no_second() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--store", "memory"]);
    let ran = server.run(folder, &["user", "list"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.err.contains("camgate init"), "{ran:?}");
    let init = ["init", "--owner", "12345678", "--app-id", "1250000001"];
    let ran = server.run(folder, &init);
    assert_eq!((ran.status, ran.out.contains("created account 12345678")), (0, true), "{ran:?}");
    assert_eq!(server.run(folder, &init).status, 2);
}

#[test]
fn operator_policies_are_presets_of_their_stem() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::create_dir(folder.join("presets")).unwrap();
    fs::write(folder.join("presets/OwnReaders.json"), POLICY).unwrap();
    let args = ["--dev", "--store", "memory", "--policies", "presets/*.json"];
    let server = Served::start(folder, &args);
    server.run(folder, &["user", "create", "alice"]);
    let ran = server.run(folder, &["policy", "attach", "OwnReaders", "--user", "alice"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let resource = "qcs::im::uin/12345678:sdkappid/1400000001";
    let question = ["--principal", "alice", "--action", "im:SetConfInfo", "--resource", resource];
    let ran = server.run(folder, &[&["check"], &question[..]].concat());
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.contains("policy OwnReaders"), "{ran:?}");
}

/// A service that is not ours: two actions, one of them about a task.
const TODO_CATALOG: &str = r#"{
  "service": "todo",
  "name": {"zh": "待办", "en": "To do"},
  "source": "our own",
  "tag_support": false,
  "ip_support": true,
  "resource_types": [
    {"type": "task", "description": {"zh": "任务", "en": "A task"},
     "template": "qcs::todo::uin/${owner_uin}:task/${id}"}
  ],
  "actions": [
    {"name": "ReadTask", "description": {"zh": "读", "en": "Reads a task"}, "access": "read",
     "granularity": "resource", "resource_type": "task", "basis": "confirmed"},
    {"name": "CreateTask", "description": {"zh": "建", "en": "Creates a task"}, "access": "write",
     "granularity": "operation", "basis": "confirmed"}
  ]
}"#;

/// Rules A-05, A-07, D-18.
#[test]
fn a_catalog_of_ones_own_is_known_like_the_shipped_ones() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("todo.json"), TODO_CATALOG).unwrap();
    let document = r#"{"version":"2.0","statement":[{"effect":"allow",
        "action":["todo:ReadTask"],"resource":"qcs::todo:::task/*"}]}"#;
    fs::write(folder.join("readers.json"), document).unwrap();
    let lint = ["policy", "lint", "readers.json"];
    assert!(offline(folder, &lint).out.contains("lint.unknown-service"));
    let known = offline(folder, &[&lint[..], &["--catalog", "todo.json"]].concat());
    assert_eq!(known.status, 0, "{known:?}");
    let args = ["--dev", "--store", "memory", "--catalog", "todo.json"];
    let server = Served::start(folder, &args);
    for args in [
        &["user", "create", "alice"][..],
        &["policy", "create", "readers", "readers.json"],
        &["policy", "attach", "readers", "--user", "alice"],
    ] {
        assert_eq!(server.run(folder, args).status, 0, "{args:?}");
    }
    let task = "qcs::todo::uin/12345678:task/7";
    let who = ["--principal", "alice"];
    let can = server.run(folder, &[&["what-can", "--resource", task], &who[..]].concat());
    assert_eq!(can.out.trim(), "todo:ReadTask", "{can:?}");
    let ask = |action| {
        server.run(folder, &[&["check", "--action", action, "--resource", task], &who[..]].concat())
    };
    assert_eq!(ask("todo:ReadTask").status, 0);
    assert_eq!(ask("todo:CreateTask").status, 1);
    let twin = ask("todo:readTask");
    assert_eq!((twin.status, twin.err.contains("todo:ReadTask")), (2, true), "{twin:?}");
}
