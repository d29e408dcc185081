//! Secrets on the command line: master keys, the trial's key, the first key of an account.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use camgate::authn::vault::master_key::MasterKey;
use serde_json::{Value, json};

use crate::cam::client::{Client, Credential, Incoming, Outgoing, STS};
use crate::command::{Ran, Served, command, http_address, offline};

fn id_in(ran: &Ran) -> String {
    assert_eq!(ran.status, 0, "{ran:?}");
    ran.json()["master_key_id"].as_str().unwrap().to_owned()
}

fn new_key(folder: &Path, file: &str) -> String {
    id_in(&offline(folder, &["--output", "json", "master-key", "new", file]))
}

/// Starts a server that is expected to refuse; gives its exit status and what it said.
fn refused(folder: &Path, args: &[&str]) -> Ran {
    let mut all = vec!["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    all.extend(args);
    offline(folder, &all)
}

#[test]
fn a_master_key_file_is_made_once_and_for_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let id = new_key(folder, "master.key");
    let file = folder.join("master.key");
    let line = fs::read_to_string(&file).unwrap();
    assert!(line.starts_with("camgate-master-key-1:") && line.ends_with('\n'), "{}", line.len());
    assert_eq!(id.len(), 16);
    let again = offline(folder, &["master-key", "new", "master.key"]);
    assert_eq!(again.status, 3, "{again:?}");
    assert!(again.err.contains("exists"), "{again:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), line);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let open = refused(folder, &["--master-key-file", "master.key"]);
        assert_eq!(open.status, 2, "{open:?}");
        assert!(open.err.contains("chmod 600"), "{open:?}");
    }
}

#[test]
fn a_rotated_master_key_opens_what_the_old_one_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let (old, new) = (new_key(folder, "old.key"), new_key(folder, "new.key"));
    let served = Served::start(folder, &["--dev", "--master-key-file", "old.key"]);
    let made = served.run(folder, &["user", "create", "alice"]);
    assert_eq!(made.status, 0, "{made:?}");
    let made = served.run(folder, &["policy", "attach", "AdministratorAccess", "--user", "alice"]);
    assert_eq!(made.status, 0, "{made:?}");
    let made = served.run(folder, &["--output", "json", "key", "create", "alice"]);
    assert_eq!(made.status, 0, "{made:?}");
    let key = made.json();
    assert_eq!(served.terminate(), Some(0));

    let rotate = [
        "--output",
        "json",
        "master-key",
        "rotate",
        "--store",
        "sled:camgate-data",
        "--master-key-file",
        "old.key",
        "--new-master-key-file",
        "new.key",
    ];
    let first = offline(folder, &rotate);
    assert_eq!(id_in(&first), new);
    assert_eq!(first.json()["changed"], true);
    assert_eq!(offline(folder, &rotate).json()["changed"], false, "once is enough");

    let refusal = refused(folder, &["--dev", "--master-key-file", "old.key"]);
    assert_eq!(refusal.status, 2, "{refusal:?}");
    assert!(refusal.err.contains(&old) && refusal.err.contains(&new), "{refusal:?}");
    let refusal = refused(folder, &["--store", "sled:camgate-data"]);
    assert_eq!(refusal.status, 2, "no key: {refusal:?}");
    assert!(refusal.err.contains("master key"), "{refusal:?}");

    let served = Served::start(folder, &["--dev", "--master-key-file", "new.key"]);
    let listed = served.run(folder, &["--output", "json", "key", "list", "--user", "alice"]);
    assert_eq!(listed.status, 0, "{listed:?}");
    assert!(listed.out.contains("AKID"), "{listed:?}");
    // The list only shows that the key is there; a signature shows that its secret opens.
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let id = text(&key["access_key"]["secret_id"]);
    let credential = Credential { id, secret: text(&key["secret_key"]), token: None };
    let alice = Client { address: served.http(), credential };
    let answer = send(&alice, &alice.post(STS, "GetCallerIdentity", &json!({}))).response();
    assert_eq!(answer["UserId"], key["access_key"]["uin"].to_string(), "{answer}");
    let credential = Credential { secret: "WrongSecretWrongSecret42".into(), ..alice.credential };
    let wrong = Client { credential, ..alice };
    let answer = send(&wrong, &wrong.post(STS, "GetCallerIdentity", &json!({})));
    assert_eq!(answer.code(), "AuthFailure.SignatureFailure");
}

fn send(client: &Client, request: &Outgoing) -> Incoming {
    tokio::runtime::Runtime::new().unwrap().block_on(client.send(request))
}

#[test]
fn a_trial_without_its_master_key_file_is_refused_and_makes_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    assert_eq!(Served::start(folder, &["--dev"]).terminate(), Some(0));
    let file = folder.join("camgate-data/master.key");
    let away = folder.join("away.key");
    let wanted = MasterKey::read_file(&file).unwrap().id();
    fs::rename(&file, &away).unwrap();
    let refusal = refused(folder, &["--dev"]);
    assert_eq!(refusal.status, 2, "{refusal:?}");
    assert!(refusal.err.contains("is missing") && refusal.err.contains("put it back"));
    assert!(refusal.err.contains(&format!("the master key `{wanted}`")), "{refusal:?}");
    assert!(!file.exists(), "a new key would hide that the right one is missing");
    fs::rename(&away, &file).unwrap();
    assert_eq!(Served::start(folder, &["--dev"]).terminate(), Some(0));
}

#[test]
fn the_environment_fixes_the_key_of_a_trial_and_of_nothing_else() {
    const ID: &str = "AKIDtrialtrialtrialtrial";
    const KEY: &str = "TrialSecretTrialSecret42";
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let serve = |args: &[&str], secret: Option<&str>| {
        let mut all = vec!["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        all.extend(args);
        let mut program = command(folder, &all);
        program.env("CAMGATE_DEV_SECRET_ID", ID).stderr(Stdio::piped());
        // Everything that there is to say: a secret in the log would show here.
        program.env("CAMGATE_LOG__FILTER", "trace");
        if let Some(secret) = secret {
            program.env("CAMGATE_DEV_SECRET_KEY", secret);
        }
        let mut child = program.spawn().unwrap();
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        let mut bytes = [0; 4096];
        while !said.lines().any(|line| line == "ready") {
            match stderr.read(&mut bytes).unwrap() {
                0 => break,
                count => said.push_str(&String::from_utf8_lossy(&bytes[..count])),
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        said
    };
    let half = serve(&["--dev", "--store", "memory"], None);
    assert!(half.contains("set both CAMGATE_DEV_SECRET_ID and"), "{half}");
    let trial = serve(&["--dev", "--store", "sled:trial"], Some(KEY));
    assert!(trial.contains(&format!("SecretId  {ID}")), "{trial}");
    assert_eq!(trial.matches(KEY).count(), 1, "shown once, logged never: {trial}");
    let again = serve(&["--dev", "--store", "sled:trial"], Some(KEY));
    assert!(again.contains("ready") && !again.contains(KEY), "{again}");
    let other = serve(&["--store", "sled:other"], Some(KEY));
    assert!(other.contains("ready") && !other.contains(KEY) && !other.contains(ID), "{other}");
}

#[test]
fn the_first_account_s_key_is_shown_once() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    new_key(folder, "master.key");
    let served = Served::start(folder, &["--master-key-file", "master.key"]);
    let init = ["init", "--owner", "87654321", "--app-id", "1250000009"];
    let first = served.run(folder, &init);
    assert_eq!(first.status, 0, "{first:?}");
    assert!(first.out.contains("AKID") && first.out.contains("secret key"), "{first:?}");
    let listed = served.run(folder, &["key", "list", "--user", "root"]);
    assert!(listed.out.contains("AKID") && !listed.out.contains("secret key"), "{listed:?}");
    assert_eq!(served.run(folder, &init).status, 2, "an account is there");
}

#[test]
fn a_sign_in_s_password_and_its_session_are_never_logged() {
    const PASSWORD: &str = "Correct-密码-1";
    const WRONG: &str = "Mistyped-密码-2";
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("password"), PASSWORD).unwrap();
    let serve =
        ["serve", "--dev", "--store", "memory", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let mut program = command(folder, &serve);
    // Everything that there is to say, also by libraries.
    program.env("CAMGATE_LOG__FILTER", "trace").stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = Vec::new();
    while said.last().is_none_or(|line| line != "ready") {
        said.push(lines.next().expect("the server starts"));
    }
    let reader = std::thread::spawn(move || lines.collect::<Vec<_>>());
    let (_, grpc) = said.iter().find_map(|it| it.split_once("camgate listens on ")).unwrap();
    let grpc = format!("http://{}", grpc.split(' ').next().unwrap());
    let http = http_address(said.iter().map(String::as_str));
    for args in [
        ["user", "create", "alice", "--console-login", "--password-file", "password"].as_slice(),
        &["policy", "attach", "QcloudIMReadOnlyAccess", "--user", "alice"],
    ] {
        let ran = command(folder, args).env("CAMGATE_SERVER", &grpc).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }

    assert_eq!(sign_in(http, WRONG).status, 401);
    let begun = sign_in(http, PASSWORD);
    assert_eq!(begun.status, 200, "{begun:?}");
    let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap();
    let asked = [
        ("Cookie", cookie),
        ("X-Original-URI", "/?SdkAppId=1400000001"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-TC-Action", "DescribeConfInfo"),
    ];
    assert_eq!(browse(http, "GET", "/gate/v1/forward-auth", &asked, "").status, 200);

    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(reader.join().unwrap());
    let log = said.join("\n");
    for event in ["sign-in refused", "signed in", "forward_auth"] {
        assert!(log.contains(event), "`{event}` is in the log:\n{log}");
    }
    let (_, token) = cookie.split_once('=').unwrap();
    for secret in [PASSWORD, WRONG, token] {
        // Logs may also escape what is not ASCII, or have it cut into pieces.
        let escaped = secret.escape_default().to_string();
        let piece: String = secret.chars().take(8).collect();
        for text in [secret, &escaped, &piece] {
            let line = said.iter().find(|line| line.contains(text));
            assert_eq!(line, None, "`{text}` is in the log");
        }
    }
}

fn sign_in(http: SocketAddr, password: &str) -> Incoming {
    let body = json!({"OwnerUin": 12_345_678, "Name": "alice", "Password": password});
    let json = [("Content-Type", "application/json")];
    browse(http, "POST", "/gate/v1/session", &json, &body.to_string())
}

/// A request without a signature.
fn browse(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Incoming {
    let host = [("Host", "console.example")];
    let headers = host.iter().chain(headers).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let request = Outgoing {
        method: method.into(),
        target: target.into(),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    };
    let nobody = Credential { id: String::new(), secret: String::new(), token: None };
    send(&Client { address, credential: nobody }, &request)
}
