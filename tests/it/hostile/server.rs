//! The same documents against a running server: refused, nothing stored, and it still answers.

use std::time::{Duration, Instant};

use camgate::service::proto;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::inputs;
use crate::command::Served;

const OWNER: u64 = 12_345_678;
/// Most that one refusal may take, network and all, on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Most memory that the server may ever have held, in KiB: sled's cache, a few messages, the rest.
const MEMORY_KIB_MAX: u64 = 400 * 1024;

type Administration = AdministrationServiceClient<Channel>;

/// As a policy of its own; only texts can be sent so.
async fn create(to: &mut Administration, text: &str) -> Result<(), Status> {
    let request = proto::CreatePolicyRequest {
        owner_uin: OWNER,
        name: "evil".into(),
        document: text.into(),
        ..Default::default()
    };
    to.create_policy(request).await.map(drop)
}

/// As a file of an account folder; any bytes.
async fn apply(to: &mut Administration, bytes: &[u8]) -> Result<(), Status> {
    let file = |path: &str, content: &[u8]| proto::FolderFile {
        path: path.into(),
        content: content.to_vec(),
    };
    let account = format!(r#"{{"owner_uin":{OWNER},"app_id":1250000001}}"#);
    let files = vec![file("account.json", account.as_bytes()), file("policies/evil.json", bytes)];
    let request = proto::ApplyAccountRequest { owner_uin: OWNER, files, ..Default::default() };
    to.apply_account(request).await.map(drop)
}

/// What is wrong with a refusal, if anything.
fn fault(answer: Result<(), Status>, elapsed: Duration) -> Option<String> {
    let status = match answer {
        Ok(()) => return Some("accepted".to_owned()),
        Err(status) => status,
    };
    let clear = matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted);
    if !clear || status.message().is_empty() {
        return Some(format!("answered {status:?}"));
    }
    (elapsed > TIME_MAX).then(|| format!("took {elapsed:?}"))
}

#[test]
fn server_refuses_stores_nothing_and_still_answers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Served::start(folder.path(), &["--dev"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let faults = runtime.block_on(async {
        let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
        let mut administration = AdministrationServiceClient::new(channel.clone());
        let before = objects(&mut administration).await;
        let mut faults = Vec::new();
        for input in inputs::all() {
            let started = Instant::now();
            let applied = apply(&mut administration, &input.bytes).await;
            let found = fault(applied, started.elapsed());
            faults.extend(found.map(|it| format!("{} in a folder: {it}", input.name)));
            let Ok(text) = std::str::from_utf8(&input.bytes) else { continue };
            let started = Instant::now();
            let created = create(&mut administration, text).await;
            let found = fault(created, started.elapsed());
            faults.extend(found.map(|it| format!("{} as a policy: {it}", input.name)));
        }
        assert_eq!(objects(&mut administration).await, before, "something was stored");
        let question = proto::CheckRequest {
            principal: Some(proto::Principal {
                id: Some(proto::principal::Id::Uin(OWNER)),
                owner_uin: 0,
            }),
            action: "im:DescribeConfInfo".into(),
            resource: format!("qcs::im::uin/{OWNER}:sdkappid/1400000001"),
            ..Default::default()
        };
        let mut authorization = AuthorizationServiceClient::new(channel);
        let answer = authorization.check(question).await.unwrap().into_inner();
        assert_eq!(answer.decision.unwrap().outcome(), proto::Outcome::Allow);
        faults
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    #[cfg(target_os = "linux")]
    {
        let held = server.memory_kib_max();
        assert!(held < MEMORY_KIB_MAX, "the server held {held} KiB");
    }
}

/// Everything in the account, as its folder says it.
async fn objects(from: &mut Administration) -> Vec<proto::FolderFile> {
    let request = proto::ExportAccountRequest { owner_uin: OWNER, ..Default::default() };
    from.export_account(request).await.unwrap().into_inner().files
}
