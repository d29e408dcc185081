//! Every administration command once, as a table and as JSON, and what a refusal looks like.

use std::fs;

use crate::command::{Served, offline};

const POLICY: &str =
    r#"{"version":"2.0","statement":[{"effect":"allow","action":"im:Describe*","resource":"*"}]}"#;

const TRUST: &str = r#"{"version":"2.0","statement":[{"effect":"allow",
    "action":"name/sts:AssumeRole","principal":{"qcs":"qcs::cam::uin/12345678:root"}}]}"#;

/// A command, and what its table form must contain. They run in order on one server.
const STORY: [(&[&str], &str); 60] = [
    (&["account", "list"], "12345678"),
    (&["account", "get"], "3 apps"),
    (&["account", "create", "87654321", "--app-id", "1250000002"], "created account 87654321"),
    (&["--account", "87654321", "user", "list"], "no sub-accounts"),
    (&["user", "create", "alice", "--remark", "客服主管"], "created sub-account alice"),
    (&["user", "create", "bob", "--uin", "100000000777"], "uin 100000000777"),
    (&["user", "create", "mail", "--kind", "message-recipient"], "created sub-account mail"),
    (&["user", "get", "alice"], "客服主管"),
    (&["user", "list"], "message_recipient"),
    (
        &["user", "update", "bob", "--name", "bobby", "--remark", "转岗"],
        "updated sub-account bobby",
    ),
    (&["user", "get", "100000000777"], "转岗"),
    (&["group", "create", "ops", "--remark", "运营"], "created group ops"),
    (&["group", "get", "ops"], "运营"),
    (&["group", "add-member", "ops", "alice"], "put alice into group ops"),
    (&["group", "add-member", "ops", "alice"], "nothing changed"),
    (&["group", "list"], "ops"),
    (&["user", "list", "--group", "ops"], "alice"),
    (&["group", "update", "ops", "--name", "operations"], "updated group operations"),
    (&["policy", "create", "readers", "readers.json", "--description", "只读"], "created policy"),
    (&["policy", "create", "trial", "readers.json", "--validate-only"], "nothing changed"),
    (&["policy", "get", "readers"], "im:Describe*"),
    (&["policy", "list", "--kind", "custom"], "只读"),
    (&["policy", "list", "--kind", "preset"], "QcloudIMFullAccess"),
    (&["policy", "attach", "readers", "--group", "operations"], "attached readers to group"),
    (&["policy", "attach", "readers", "--user", "alice"], "attached readers to sub-account"),
    (&["policy", "entities", "readers"], "alice"),
    (&["policy", "add-version", "readers", "readers.json", "--default"], "added version 2"),
    (&["policy", "versions", "readers"], "default"),
    (&["policy", "rollback", "readers", "1"], "version 1 of policy readers is the default"),
    (&["policy", "get-version", "readers", "2"], "im:Describe*"),
    (&["policy", "delete-version", "readers", "2"], "deleted version 2"),
    (&["policy", "update", "readers", "readers.json", "--description", "x"], "updated policy"),
    (&["boundary", "set", "alice", "QcloudIMReadOnlyAccess"], "as the boundary of alice"),
    (&["boundary", "remove", "alice"], "removed the boundary"),
    (&["user", "update", "alice", "--generate-password", "--console-login"], "password "),
    (&["user", "update", "alice", "--password-file", "password"], "updated sub-account alice"),
    (&["user", "update", "alice", "--email", "a@example.com", "--phone-num", "1"], "updated"),
    (&["role", "create", "deployer", "trust.json", "--tag", "team=im"], "created role deployer"),
    (&["role", "show", "deployer"], "sts:AssumeRole"),
    (&["role", "list", "--tag", "team=im"], "deployer"),
    (&["role", "list", "--tag", "team=none"], "no roles"),
    (&["role", "update", "deployer", "--session-duration", "7200"], "updated role deployer"),
    (&["role", "update", "deployer", "--trust-policy", "trust.json"], "nothing changed"),
    (&["role", "tag", "deployer", "env=prod", "b=c"], "tagged role deployer"),
    (&["role", "untag", "deployer", "env"], "untagged role deployer"),
    (&["policy", "attach", "readers", "--role", "deployer"], "attached readers to role deployer"),
    (&["boundary", "set", "deployer", "readers", "--role"], "as the boundary of deployer"),
    (&["policy", "entities", "readers"], "boundary of roles"),
    (&["boundary", "remove", "deployer", "--role"], "removed the boundary of deployer"),
    (&["role", "delete", "deployer", "--force"], "deleted role deployer"),
    (&["app", "create", "1400000009", "--name", "新", "--tag", "env=prod"], "registered app"),
    (&["app", "get", "1400000009"], "env=prod"),
    (&["app", "update", "1400000009", "--no-tags"], "updated app"),
    (&["app", "list"], "1400000009"),
    (&["app", "delete", "1400000009"], "deleted app"),
    (&["policy", "detach", "readers", "--user", "alice"], "detached readers"),
    (&["policy", "delete", "readers", "--force"], "deleted policy readers"),
    (&["group", "remove-member", "operations", "alice"], "took alice out"),
    (&["group", "delete", "operations", "--force"], "deleted group"),
    (&["user", "delete", "alice"], "deleted sub-account alice"),
];

#[test]
fn every_command_answers_as_a_table_and_as_json() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("readers.json"), POLICY).unwrap();
    fs::write(folder.join("trust.json"), TRUST).unwrap();
    fs::write(folder.join("password"), "Correct-Horse-1\n").unwrap();
    // Two servers live through the same story, so that each form sees the same state.
    let (tables, jsons) = (
        Served::start(folder, &["--dev", "--store", "memory"]),
        Served::start(folder, &["--dev", "--store", "memory"]),
    );
    for (args, part) in STORY {
        let mut args = args.to_vec();
        // From the second account on, commands must say which one they are about.
        if !args.contains(&"--account") && args.first() != Some(&"account") {
            args.extend(["--account", "12345678"]);
        }
        if args.starts_with(&["account", "get"]) {
            args.extend(["--account", "12345678"]);
        }
        let ran = tables.run(folder, &args);
        assert_eq!(ran.status, 0, "{args:?}: {ran:?}");
        assert!(ran.out.contains(part), "{args:?}: {ran:?}");
        assert!(!ran.out.lines().any(|line| line.ends_with(' ')), "{args:?}: {ran:?}");
        args.extend(["--output", "json"]);
        let ran = jsons.run(folder, &args);
        assert_eq!(ran.status, 0, "{args:?}: {ran:?}");
        assert!(ran.json().is_object(), "{args:?}: {ran:?}");
    }
}

#[test]
fn refusals_have_an_exit_status_and_details() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("bad.json"), POLICY.replace("allow", "Allow")).unwrap();
    fs::write(folder.join("lines"), "Correct-Horse-1\nCorrect-Horse-2\n").unwrap();
    fs::write(folder.join("weak"), "correct-horse\n").unwrap();
    let server = Served::start(folder, &["--dev", "--store", "memory"]);
    for (args, status, part) in [
        (&["user", "get", "nobody"][..], 2, "`nobody` does not exist"),
        (&["policy", "create", "bad", "bad.json"], 1, "InvalidParameter.EffectError"),
        (&["policy", "create", "bad", "missing.json"], 3, "cannot read `missing.json`"),
        (&["user", "create", "x", "--password-file", "lines"], 3, "`lines` holds no password"),
        (&["user", "create", "x", "--password-file", "weak"], 2, "an upper-case letter"),
        (&["user", "create", "x", "--password", "Correct-Horse-1"], 2, "unexpected argument"),
        (&["role", "create", "x", "bad.json"], 1, "PrincipalError"),
        (&["role", "show", "nobody"], 2, "`nobody` does not exist"),
        (&["key", "delete", "nonsense"], 2, "secret_id"),
        (&["init", "--owner", "1", "--app-id", "2"], 2, "has an account already"),
        (&["app", "create", "1400000000", "--name", "x"], 2, "1400000000"),
        (
            &["check", "--principal", "root", "--action", "im:describeconfinfo", "--resource", "*"],
            2,
            "im:DescribeConfInfo",
        ),
        (&["user", "create"], 2, "Usage"),
        (&["user", "create", "x", "--if-revision", "nonsense"], 2, "nonsense"),
        (&["--server", "tcp://x", "user", "list"], 2, "expected an address such as"),
        (&["--server", "https://x", "user", "list"], 2, "needs `[client] ca_file`"),
    ] {
        let ran = server.run(folder, args);
        assert_eq!(ran.status, status, "{args:?}: {ran:?}");
        assert!(ran.err.contains(part), "{args:?}: {ran:?}");
        assert_eq!(ran.out, "", "{args:?}");
    }
    let ran = server.run(folder, &["user", "get", "nobody", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["error"]["code"], "NOT_FOUND");
    let gone = server.url();
    server.kill();
    let ran = offline(folder, &["user", "list", "--server", &gone]);
    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.err.contains("no server answers"), "{ran:?}");
}

#[test]
fn searches_and_watch_answer() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--dev", "--store", "memory"]);
    let app = "qcs::im::uin/12345678:sdkappid/1400000001";
    server.run(folder, &["user", "create", "alice"]);
    server.run(folder, &["policy", "attach", "QcloudIMReadOnlyAccess", "--user", "alice"]);
    let ran =
        server.run(folder, &["who-can", "--action", "im:DescribeConfInfo", "--resource", app]);
    assert_eq!(ran.out.lines().count(), 2, "{ran:?}");
    let ran = server
        .run(folder, &["what-can", "--principal", "alice", "--action", "im:DescribeConfInfo"]);
    assert!(ran.out.contains(app), "{ran:?}");
    let ran = server
        .run(folder, &["what-can", "--principal", "alice", "--resource", app, "--output", "json"]);
    let actions = ran.json()["actions"].as_array().unwrap().clone();
    assert!(actions.contains(&"im:DescribeConfInfo".into()), "{ran:?}");
    assert!(!actions.contains(&"im:SetConfInfo".into()), "{ran:?}");
    let ran = server.run(folder, &["watch", "--count", "1"]);
    assert!(ran.out.contains("sub-account 100000000001 (alice)"), "{ran:?}");
    let ran = server.run(folder, &["watch", "--count", "1", "--output", "json"]);
    assert_eq!(ran.json()["event"], "snapshot", "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
}
