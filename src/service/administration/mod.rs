//! The administration point: reads of one view, and commands as writes of the node.
//!
//! One file per noun; this one has what they share and the list of methods. It must never change
//! anything but by a command or a plan of the directory.

mod access_keys;
mod accounts;
mod apps;
mod attachments;
mod changes;
mod folder;
mod groups;
mod password;
mod policies;
mod roles;
mod sub_accounts;
mod versions;

use std::net::SocketAddr;
use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};

use super::access;
use super::commands::execute_commands;
use super::proto;
use super::proto::administration_service_server::AdministrationService;
use super::rpc::call;
use super::transport::PeerInfo;
use super::wire;
use super::wire::request;
use crate::directory::service_caller::Right;
use crate::directory::{AccountState, Command, CommandResult, GlobalKey, Presets};
use crate::node::{
    Access, AccountView, JobInput, Node, NodeError, Prepared, WriteJob, WriteOptions,
};
use crate::store::Revision;

/// `camgate.v1.AdministrationService` over a node.
#[derive(Debug, Clone)]
pub struct Administration {
    node: Arc<Node>,
    /// The address of the caller; empty while there is none.
    source: String,
    /// What the caller may.
    access: Access,
}

/// One look at an account.
struct Look {
    view: Arc<AccountView>,
    revision: String,
}

/// What a command made, for its answer.
struct Made<'a> {
    /// The account after the command.
    state: &'a AccountState,
    presets: &'a Presets,
    result: CommandResult,
    /// The uin that was allotted, when the command asked for one.
    allotted_uin: Option<u64>,
}

/// A write as its request describes it.
struct Write {
    method: &'static str,
    owner_uin: u64,
    options: Option<proto::WriteOptions>,
    /// The whole request, encoded.
    request: Vec<u8>,
}

impl Write {
    fn new(
        method: &'static str,
        owner_uin: u64,
        options: &Option<proto::WriteOptions>,
        request: &impl Message,
    ) -> Result<Self, NodeError> {
        let owner_uin = request::required("owner_uin", owner_uin)?;
        Ok(Self { method, owner_uin, options: options.clone(), request: request.encode_to_vec() })
    }

    fn is_trial(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.validate_only)
    }
}

/// What came of a write.
struct Answered<R> {
    response: R,
    /// Whether this very request did it: it is no trial, and no repetition of one that was done.
    is_done_now: bool,
}

/// An answer to a write.
trait WriteAnswer: Message + Default {
    fn result_mut(&mut self) -> &mut Option<proto::WriteResult>;
}

impl Administration {
    /// The service of this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, source: String::new(), access: Access::Nobody }
    }

    /// The service as one caller's requests see it.
    fn for_caller(&self, peer: Option<SocketAddr>, access: Access) -> Self {
        let source = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        Self { node: Arc::clone(&self.node), source, access }
    }

    /// The account at a revision that is fresh enough.
    async fn look(
        &self,
        owner_uin: u64,
        consistency: Option<proto::Consistency>,
    ) -> Result<Look, NodeError> {
        let owner_uin = request::required("owner_uin", owner_uin)?;
        self.node.wait_at_least(request::at_least(&self.node, consistency.as_ref())?).await?;
        let applied = self.node.applied_revision();
        let view = self.node.existing_view(owner_uin).await?;
        let revision = self.node.token(view.as_of.max(applied));
        Ok(Look { view, revision })
    }

    /// Executes one command.
    async fn command<R: WriteAnswer>(
        &self,
        write: Write,
        command: Command,
        answer: impl Fn(&Made<'_>) -> Result<R, NodeError> + Send + Sync,
    ) -> Result<R, NodeError> {
        let reads = |state: &AccountState| command.global_reads(state);
        let answered = self.run(write, &reads, false, |_| command.clone(), answer).await?;
        Ok(answered.response)
    }

    /// Executes one command, which may be made with a free uin.
    async fn run<R: WriteAnswer>(
        &self,
        write: Write,
        reads: &(dyn Fn(&AccountState) -> Vec<GlobalKey> + Send + Sync),
        allot_uin: bool,
        command: impl Fn(Option<u64>) -> Command + Send + Sync,
        answer: impl Fn(&Made<'_>) -> Result<R, NodeError> + Send + Sync,
    ) -> Result<Answered<R>, NodeError> {
        let is_trial = write.is_trial();
        let run = |input: &JobInput<'_>| {
            let command = command(input.allotted_uin);
            let operations = vec![command.name()];
            let (executed, state) = execute_commands(input, &[command])?;
            let made = Made {
                state: &state,
                presets: input.env.presets,
                result: executed.result(),
                allotted_uin: input.allotted_uin,
            };
            let mut response = answer(&made)?;
            *response.result_mut() = Some(proto::WriteResult {
                revision: String::new(),
                findings: wire::findings(&executed.findings),
                changed: !executed.changes.is_empty() && !is_trial,
            });
            let (changes, answer) = (executed.changes, response.encode_to_vec());
            Ok(Prepared { changes, operations, answer })
        };
        self.write(write, &WriteJob { reads, allot_uin, run: &run }).await
    }

    /// Writes, and puts the revision into the answer.
    async fn write<R: WriteAnswer>(
        &self,
        write: Write,
        job: &WriteJob<'_>,
    ) -> Result<Answered<R>, NodeError> {
        let is_trial = write.is_trial();
        let Write { method, owner_uin, options, request } = write;
        let options = self.options(options, method, &request)?;
        let written = self.node.write(owner_uin, &options, job).await?;
        let response = self.answered(&written.answer, written.revision)?;
        Ok(Answered { response, is_done_now: !written.is_repeat && !is_trial })
    }

    fn options(
        &self,
        options: Option<proto::WriteOptions>,
        method: &str,
        request: &[u8],
    ) -> Result<WriteOptions, NodeError> {
        let from = (self.source.as_str(), self.access.name());
        request::write_options(&self.node, options, method, request, from)
    }

    fn answered<R: WriteAnswer>(&self, answer: &[u8], revision: Revision) -> Result<R, NodeError> {
        let mut response = R::decode(answer).map_err(|error| {
            NodeError::Internal(format!("a kept answer cannot be read: {error}"))
        })?;
        if let Some(result) = response.result_mut() {
            result.revision = self.node.token(revision);
        }
        Ok(response)
    }
}

/// The thing that a command has just made or changed.
fn made<T>(thing: Option<T>) -> Result<T, NodeError> {
    thing.ok_or_else(|| NodeError::Internal("a command's object is not in its state".to_owned()))
}

fn not_found(noun: &'static str, name: impl ToString, owner_uin: u64) -> NodeError {
    NodeError::NotFound { noun, name: name.to_string(), owner_uin }
}

macro_rules! write_answers {
    ($($answer:ident),* $(,)?) => {
        $(impl WriteAnswer for proto::$answer {
            fn result_mut(&mut self) -> &mut Option<proto::WriteResult> {
                &mut self.result
            }
        })*
    };
}

write_answers!(
    CreateRoleResponse,
    DeleteAccessKeyResponse,
    DeleteRoleResponse,
    TagRoleResponse,
    UntagRoleResponse,
    UpdateAccessKeyResponse,
    UpdateRoleResponse,
    AddGroupMemberResponse,
    ApplyAccountResponse,
    AttachPolicyResponse,
    CreateAccessKeyResponse,
    CreateAccountResponse,
    CreateAppResponse,
    CreateGroupResponse,
    CreatePolicyResponse,
    CreatePolicyVersionResponse,
    CreateSubAccountResponse,
    DeleteAppResponse,
    DeleteBoundaryResponse,
    DeleteGroupResponse,
    DeletePolicyResponse,
    DeletePolicyVersionResponse,
    DeleteSubAccountResponse,
    DetachPolicyResponse,
    PutBoundaryResponse,
    RemoveGroupMemberResponse,
    SetDefaultPolicyVersionResponse,
    UpdateAppResponse,
    UpdateGroupResponse,
    UpdatePolicyResponse,
    UpdateSubAccountResponse,
);

/// Whether the caller may: in the account that the request names, or in some.
macro_rules! may_administer {
    (ListAccountsRequest, $access:expr, $request:expr) => {
        $access.check_any(Right::Administer)
    };
    ($other:ident, $access:expr, $request:expr) => {
        $access.check(Right::Administer, $request.owner_uin)
    };
}

/// Requests that name their account: all but one.
macro_rules! owner_field {
    (ListAccountsRequest, $request:expr) => {
        0
    };
    ($other:ident, $request:expr) => {
        $request.owner_uin
    };
}

macro_rules! methods {
    ($($method:ident, $name:ident($request:ident) -> $response:ident = $function:path;)*) => {
        #[tonic::async_trait]
        impl AdministrationService for Administration {
            $(async fn $method(
                &self,
                request: Request<proto::$request>,
            ) -> Result<Response<proto::$response>, Status> {
                let peer = request.extensions().get::<PeerInfo>().map(|peer| peer.address);
                let service = self.for_caller(peer, access::of_request(&request));
                let request = request.into_inner();
                call(&self.node, stringify!($name), owner(&request), async {
                    may_administer!($request, service.access, request)?;
                    $function(&service, request).await
                })
                .await
            })*
        }

        $(impl Owned for proto::$request {
            fn owner_field(&self) -> u64 {
                owner_field!($request, self)
            }
        })*
    };
}

trait Owned {
    fn owner_field(&self) -> u64;
}

fn owner(request: &impl Owned) -> u64 {
    request.owner_field()
}

methods! {
    create_account, CreateAccount(CreateAccountRequest) -> CreateAccountResponse
        = accounts::create;
    get_account, GetAccount(GetAccountRequest) -> GetAccountResponse = accounts::get;
    list_accounts, ListAccounts(ListAccountsRequest) -> ListAccountsResponse = accounts::list;
    list_change_records, ListChangeRecords(ListChangeRecordsRequest) -> ListChangeRecordsResponse
        = changes::list;
    create_sub_account, CreateSubAccount(CreateSubAccountRequest) -> CreateSubAccountResponse
        = sub_accounts::create;
    get_sub_account, GetSubAccount(GetSubAccountRequest) -> GetSubAccountResponse
        = sub_accounts::get;
    list_sub_accounts, ListSubAccounts(ListSubAccountsRequest) -> ListSubAccountsResponse
        = sub_accounts::list;
    update_sub_account, UpdateSubAccount(UpdateSubAccountRequest) -> UpdateSubAccountResponse
        = sub_accounts::update;
    delete_sub_account, DeleteSubAccount(DeleteSubAccountRequest) -> DeleteSubAccountResponse
        = sub_accounts::delete;
    create_group, CreateGroup(CreateGroupRequest) -> CreateGroupResponse = groups::create;
    get_group, GetGroup(GetGroupRequest) -> GetGroupResponse = groups::get;
    list_groups, ListGroups(ListGroupsRequest) -> ListGroupsResponse = groups::list;
    update_group, UpdateGroup(UpdateGroupRequest) -> UpdateGroupResponse = groups::update;
    delete_group, DeleteGroup(DeleteGroupRequest) -> DeleteGroupResponse = groups::delete;
    add_group_member, AddGroupMember(AddGroupMemberRequest) -> AddGroupMemberResponse
        = groups::add_member;
    remove_group_member, RemoveGroupMember(RemoveGroupMemberRequest) -> RemoveGroupMemberResponse
        = groups::remove_member;
    create_policy, CreatePolicy(CreatePolicyRequest) -> CreatePolicyResponse = policies::create;
    get_policy, GetPolicy(GetPolicyRequest) -> GetPolicyResponse = policies::get;
    list_policies, ListPolicies(ListPoliciesRequest) -> ListPoliciesResponse = policies::list;
    update_policy, UpdatePolicy(UpdatePolicyRequest) -> UpdatePolicyResponse = policies::update;
    delete_policy, DeletePolicy(DeletePolicyRequest) -> DeletePolicyResponse = policies::delete;
    create_policy_version, CreatePolicyVersion(CreatePolicyVersionRequest)
        -> CreatePolicyVersionResponse = versions::create;
    list_policy_versions, ListPolicyVersions(ListPolicyVersionsRequest)
        -> ListPolicyVersionsResponse = versions::list;
    get_policy_version, GetPolicyVersion(GetPolicyVersionRequest) -> GetPolicyVersionResponse
        = versions::get;
    set_default_policy_version, SetDefaultPolicyVersion(SetDefaultPolicyVersionRequest)
        -> SetDefaultPolicyVersionResponse = versions::set_default;
    delete_policy_version, DeletePolicyVersion(DeletePolicyVersionRequest)
        -> DeletePolicyVersionResponse = versions::delete;
    check_policy_document, CheckPolicyDocument(CheckPolicyDocumentRequest)
        -> CheckPolicyDocumentResponse = policies::check_document;
    create_role, CreateRole(CreateRoleRequest) -> CreateRoleResponse = roles::create;
    get_role, GetRole(GetRoleRequest) -> GetRoleResponse = roles::get;
    list_roles, ListRoles(ListRolesRequest) -> ListRolesResponse = roles::list;
    update_role, UpdateRole(UpdateRoleRequest) -> UpdateRoleResponse = roles::update;
    delete_role, DeleteRole(DeleteRoleRequest) -> DeleteRoleResponse = roles::delete;
    tag_role, TagRole(TagRoleRequest) -> TagRoleResponse = roles::tag;
    untag_role, UntagRole(UntagRoleRequest) -> UntagRoleResponse = roles::untag;
    create_access_key, CreateAccessKey(CreateAccessKeyRequest) -> CreateAccessKeyResponse
        = access_keys::create;
    list_access_keys, ListAccessKeys(ListAccessKeysRequest) -> ListAccessKeysResponse
        = access_keys::list;
    update_access_key, UpdateAccessKey(UpdateAccessKeyRequest) -> UpdateAccessKeyResponse
        = access_keys::update;
    delete_access_key, DeleteAccessKey(DeleteAccessKeyRequest) -> DeleteAccessKeyResponse
        = access_keys::delete;
    attach_policy, AttachPolicy(AttachPolicyRequest) -> AttachPolicyResponse
        = attachments::attach;
    detach_policy, DetachPolicy(DetachPolicyRequest) -> DetachPolicyResponse
        = attachments::detach;
    list_policy_entities, ListPolicyEntities(ListPolicyEntitiesRequest)
        -> ListPolicyEntitiesResponse = attachments::list_entities;
    put_boundary, PutBoundary(PutBoundaryRequest) -> PutBoundaryResponse
        = attachments::put_boundary;
    delete_boundary, DeleteBoundary(DeleteBoundaryRequest) -> DeleteBoundaryResponse
        = attachments::delete_boundary;
    create_app, CreateApp(CreateAppRequest) -> CreateAppResponse = apps::create;
    get_app, GetApp(GetAppRequest) -> GetAppResponse = apps::get;
    list_apps, ListApps(ListAppsRequest) -> ListAppsResponse = apps::list;
    update_app, UpdateApp(UpdateAppRequest) -> UpdateAppResponse = apps::update;
    delete_app, DeleteApp(DeleteAppRequest) -> DeleteAppResponse = apps::delete;
    export_account, ExportAccount(ExportAccountRequest) -> ExportAccountResponse
        = folder::export;
    apply_account, ApplyAccount(ApplyAccountRequest) -> ApplyAccountResponse = folder::apply;
}
