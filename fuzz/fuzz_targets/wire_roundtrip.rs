//! Any bytes as messages of the API and as stored records: what decodes survives the way out and
//! back, a running node answers it with a decision or a refusal that blames the caller, and never
//! panics.
#![no_main]

use std::sync::{Arc, LazyLock};

use camgate::authn::vault::master_key::MasterKey;
use camgate::catalog::Catalog;
use camgate::node::{Access, Node, NodeSettings, SystemClock};
use camgate::service::proto::administration_service_server::AdministrationService;
use camgate::service::proto::authorization_service_server::AuthorizationService;
use camgate::service::{Administration, Authorization, proto};
use camgate::store::key as store_key;
use camgate::store::{MemoryStore, record};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use tokio::runtime::Runtime;
use tonic::{Code, Request, Response, Status};

struct Fixture {
    runtime: Runtime,
    authorization: Authorization,
    administration: Administration,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (authorization, administration) = runtime.block_on(async {
        let store = Arc::new(MemoryStore::new());
        let catalog = Arc::new(Catalog::builtin().clone());
        let clock = Arc::new(SystemClock);
        // With a master key, so that sessions' tokens are opened, and refused for what they are.
        let master_key = Some(MasterKey::generate().unwrap());
        let settings = NodeSettings { master_key, ..NodeSettings::default() };
        let node = Node::start(store, catalog, clock, None, settings).await.unwrap();
        let administration = Administration::new(Arc::clone(&node));
        fill(&administration).await.unwrap();
        (Authorization::new(node), administration)
    });
    Fixture { runtime, authorization, administration }
});

const OWNER: u64 = 12_345_678;

/// A request of somebody who may do everything, as it comes from the interceptor.
fn request<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Access::Open);
    request
}

/// One account with a sub-account that may do something.
async fn fill(to: &Administration) -> Result<(), Status> {
    let account = proto::CreateAccountRequest { owner_uin: OWNER, app_id: 1, ..Default::default() };
    to.create_account(request(account)).await?;
    let user = proto::CreateSubAccountRequest {
        owner_uin: OWNER,
        uin: 100_000_000_011,
        name: "alice".into(),
        ..Default::default()
    };
    to.create_sub_account(request(user)).await?;
    let app = proto::CreateAppRequest {
        owner_uin: OWNER,
        sdkappid: 1_400_000_001,
        name: "群聊".into(),
        ..Default::default()
    };
    to.create_app(request(app)).await?;
    let attach = proto::AttachPolicyRequest {
        owner_uin: OWNER,
        policy_id: 1_002,
        uin: 100_000_000_011,
        ..Default::default()
    };
    to.attach_policy(request(attach)).await?;
    Ok(())
}

/// The message in these bytes, which must be the same after another way out and back.
fn read<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<M> {
    let message = M::decode(bytes).ok()?;
    let again = M::decode(message.encode_to_vec().as_slice()).expect("what we encode decodes");
    assert!(again == message, "{message:?}\n{again:?}");
    Some(message)
}

/// An answer survives the way out and back; a refusal is the caller's fault.
fn judge<M: Message + Default + PartialEq + std::fmt::Debug>(answer: Result<Response<M>, Status>) {
    match answer {
        Ok(answer) => {
            let message = answer.into_inner();
            assert!(read::<M>(&message.encode_to_vec()) == Some(message));
        }
        Err(status) => assert!(
            matches!(
                status.code(),
                Code::InvalidArgument | Code::NotFound | Code::OutOfRange | Code::Unavailable
            ),
            "{status:?}"
        ),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let Fixture { runtime, authorization, administration } = &*FIXTURE;
    macro_rules! ask {
        ($service:expr, $method:ident) => {
            if let Some(message) = read(bytes) {
                judge(runtime.block_on($service.$method(request(message))));
            }
        };
    }
    match kind % 11 {
        0 => ask!(authorization, check),
        1 => ask!(authorization, batch_check),
        2 => ask!(authorization, explain),
        3 => ask!(authorization, simulate),
        4 => ask!(authorization, list_resources),
        5 => ask!(authorization, list_actions),
        6 => ask!(authorization, list_principals),
        7 => ask!(administration, check_policy_document),
        9 => ask!(administration, list_roles),
        10 => ask!(administration, list_access_keys),
        _ => stored(bytes),
    }
});

/// A key's length, the key, the rest its value: refused with the key's name, or read and written
/// again the same.
fn stored(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((key, value)) = rest.split_at_checked(usize::from(*length)) else { return };
    match record::decode(key, value) {
        Ok(found) => {
            if let record::Stored::Account { owner_uin, record } = &found {
                assert!(store_key::owner_of(key) == Some(*owner_uin));
                assert_eq!(record::decode(key, &record::encode(record)).as_ref(), Ok(&found));
            }
        }
        Err(error) => assert_eq!(error.key, key),
    }
}
