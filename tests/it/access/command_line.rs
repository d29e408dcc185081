//! `camgate caller`: the first one offline, the others by the server, tokens from the environment.

use std::fs;
use std::path::Path;

use crate::command::{Ran, Served, command, offline, ran};

fn with_token(folder: &Path, server: &Served, token: &str, args: &[&str]) -> Ran {
    let mut command = command(folder, args);
    command.env("CAMGATE_SERVER", server.url()).env("CAMGATE_TOKEN", token);
    ran(command.output().unwrap())
}

/// A server that wants callers, with one who operates: its token.
fn start(folder: &Path) -> (Served, String) {
    let store = ["--store", "sled:store"];
    let rights = ["--operate", "--administer", "all", "--check", "all"];
    let create = [&["caller", "create", "operator"][..], &rights, &store].concat();
    let made = offline(folder, &create);
    assert_eq!(made.status, 0, "{made:?}");
    let again = offline(folder, &create);
    assert_eq!(again.status, 2, "{again:?}");
    let json = ["--output", "json"];
    let token = ["caller", "token", "operator", "--note", "第一个"];
    let token = offline(folder, &[&token[..], &store, &json].concat());
    let token = token.json()["token"].as_str().unwrap().to_owned();
    fs::write(folder.join("camgate.toml"), "[callers]\nrequired = true\n").unwrap();
    let server = Served::start(folder, &[&["--config", "camgate.toml"][..], &store].concat());
    assert!(server.said.iter().any(|line| line.contains("must be registered")));
    (server, token)
}

#[test]
fn the_first_caller_is_made_before_the_server_and_makes_others() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let (server, token) = start(folder);
    let ask = |token: &str, args: &[&str]| with_token(folder, &server, token, args);
    let nobody = server.run(folder, &["account", "list"]);
    assert_eq!(nobody.status, 2, "{nobody:?}");
    assert!(nobody.err.contains("does not know who calls"), "{nobody:?}");
    assert!(ask("cgt_wrong", &["account", "list"]).err.contains("does not know who calls"));
    let init = ask(&token, &["init", "--owner", "12345678", "--app-id", "1250000001"]);
    assert_eq!(init.status, 0, "{init:?}");
    let create = ["caller", "create", "im-gateway", "--check", "12345678", "--service", "im"];
    assert_eq!(ask(&token, &create).status, 0);
    let made = ask(&token, &["caller", "token", "im-gateway", "--days", "90", "--output", "json"]);
    let (gateway, id) = (made.json()["token"].clone(), made.json()["token_id"].clone());
    let (gateway, id) = (gateway.as_str().unwrap(), id.as_str().unwrap());
    let question = [
        "check",
        "--principal",
        "12345678",
        "--action",
        "im:CheckIfIMNewUser",
        "--resource",
        "*",
        "--account",
        "12345678",
    ];
    let answered = ask(gateway, &question);
    assert_eq!(answered.status, 0, "{answered:?}");
    let refused = ask(gateway, &["caller", "list"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(refused.err.contains("caller `im-gateway` has no right to operate"), "{refused:?}");
    let listed = ask(&token, &["caller", "list"]);
    assert!(listed.out.contains(id) && !listed.out.contains(gateway), "{listed:?}");
    assert_eq!(ask(&token, &["caller", "revoke", "im-gateway", id]).status, 0);
    assert!(ask(gateway, &question).err.contains("does not know who calls"));
}

#[test]
fn callers_are_described_listed_and_changed() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let (server, token) = start(folder);
    let ask = |args: &[&str]| with_token(folder, &server, &token, args);
    for args in [
        &[
            "caller",
            "create",
            "im-gateway",
            "--check",
            "12345678",
            "--service",
            "im",
            "--identity",
            "spiffe://im/gateway",
            "--description",
            "网关",
        ][..],
        &["caller", "update", "im-gateway", "--check", "all", "--watch", "12345678"],
    ] {
        let ran = ask(args);
        assert_eq!(ran.status, 0, "{args:?}: {ran:?}");
    }
    let listed = ask(&["caller", "list"]);
    assert!(
        listed.out.contains("check all") && listed.out.contains("watch 12345678"),
        "{listed:?}"
    );
    let listed = ask(&["caller", "list", "--output", "json"]).json();
    assert_eq!(listed[0]["name"], "im-gateway");
    assert_eq!(listed[0]["identities"], serde_json::json!([]), "an update takes away");
    for (args, part) in [
        (&["caller", "create", "网关"][..], "no name of a caller"),
        (&["caller", "create", "x", "--check", "some"], "expected `all` or uins"),
        (&["caller", "update", "nobody"], "does not exist"),
        (&["caller", "revoke", "im-gateway", "nothing"], "has no token `nothing`"),
    ] {
        let ran = ask(args);
        assert_eq!(ran.status, 2, "{args:?}: {ran:?}");
        assert!(ran.err.contains(part), "{args:?}: {ran:?}");
    }
    assert_eq!(ask(&["caller", "delete", "im-gateway"]).status, 0);
    // A trial makes its account as nobody.
    let dev = offline(folder, &["serve", "--config", "camgate.toml", "--dev"]);
    assert_eq!(dev.status, 2, "{dev:?}");
    assert!(dev.err.contains("`callers.required`"), "{dev:?}");
}
