//! From a command to the RPC that asks for it. Every command has one.

use camgate::directory::{
    BoundaryTarget, Command, CreateAccessKey, CreateRole, CreateSubAccount, DeleteAccessKey,
    GroupRef, KeyStatus, PolicyRef, RoleRef, SubAccountKind, Target, UpdateAccessKey, UpdateRole,
    UpdateSubAccount,
};
use camgate::service::proto as pb;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::Outcome;
use super::model::is_allotted;
use super::server::{PASSWORD, Server};
use crate::directory::OWNER;

/// Sends one RPC about the account.
macro_rules! send {
    ($server:expr, $method:ident, $request:ident { $($field:tt)* }) => {{
        let request = pb::$request { owner_uin: OWNER.uin, options: None, $($field)* };
        $server.admin.clone().$method(request).await.map(|_| ()).map_err(|it| code(&it))
    }};
}

/// The machine-readable reason, which is CAM's code.
fn code(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("without details: {status:?}"));
    info.reason.clone()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn policy(policy: &PolicyRef) -> u64 {
    if let PolicyRef::Id(id) = policy { id.0 } else { panic!("{policy:?} is not by id") }
}

fn group(group: &GroupRef) -> u64 {
    if let GroupRef::Id(id) = group { id.0 } else { panic!("{group:?} is not by id") }
}

fn role(role: &RoleRef) -> u64 {
    if let RoleRef::Id(id) = role { id.0 } else { panic!("{role:?} is not by id") }
}

/// `uin`, `group_id` and `role_id`.
fn target(target: &Target) -> (u64, u64, u64) {
    match target {
        Target::User(uin) => (*uin, 0, 0),
        Target::Group(it) => (0, group(it), 0),
        Target::Role(it) => (0, 0, role(it)),
    }
}

/// `uin` and `role_id`.
fn bounded(target: &BoundaryTarget) -> (u64, u64) {
    match target {
        BoundaryTarget::User(uin) => (*uin, 0),
        BoundaryTarget::Role(it) => (0, role(it)),
    }
}

/// Asks a server for what a command says.
pub(super) async fn run(server: &Server, command: &Command) -> Outcome {
    match command {
        Command::CreateAccount(it) => {
            let app_id = it.owner.app_id;
            send!(server, create_account, CreateAccountRequest { app_id })
        }
        Command::CreateSubAccount(it) => create_user(server, it).await,
        Command::UpdateSubAccount(it) => update_user(server, it).await,
        Command::DeleteSubAccount(it) => {
            let (uin, force, delete_keys) = (it.uin, it.force, it.delete_keys);
            send!(server, delete_sub_account, DeleteSubAccountRequest { uin, force, delete_keys })
        }
        Command::CreateGroup(_)
        | Command::UpdateGroup(_)
        | Command::DeleteGroup(_)
        | Command::AddToGroup(_)
        | Command::RemoveFromGroup(_) => groups(server, command).await,
        Command::CreatePolicy(_)
        | Command::UpdatePolicy(_)
        | Command::CreatePolicyVersion(_)
        | Command::SetDefaultPolicyVersion(_)
        | Command::DeletePolicyVersion(_)
        | Command::DeletePolicy(_) => policies(server, command).await,
        Command::AttachPolicy(_)
        | Command::DetachPolicy(_)
        | Command::PutBoundary(_)
        | Command::DeleteBoundary(_) => holdings(server, command).await,
        Command::CreateApp(_) | Command::UpdateApp(_) | Command::DeleteApp(_) => {
            apps(server, command).await
        }
        Command::CreateRole(it) => create_role(server, it).await,
        Command::UpdateRole(it) => update_role(server, it).await,
        Command::DeleteRole(it) => {
            let (role_id, force) = (role(&it.role), it.force);
            send!(server, delete_role, DeleteRoleRequest { role_id, force })
        }
        Command::TagRole(it) => {
            let (role_id, tags) = (role(&it.role), it.tags.clone());
            send!(server, tag_role, TagRoleRequest { role_id, tags })
        }
        Command::UntagRole(it) => {
            let (role_id, keys) = (role(&it.role), it.keys.clone());
            send!(server, untag_role, UntagRoleRequest { role_id, keys })
        }
        Command::CreateAccessKey(it) => create_key(server, it).await,
        Command::UpdateAccessKey(it) => update_key(server, it).await,
        Command::DeleteAccessKey(it) => delete_key(server, it).await,
    }
}

fn password(is_there: bool) -> Option<pb::Secret> {
    is_there.then(|| pb::Secret { text: PASSWORD.to_owned() })
}

async fn create_user(server: &Server, it: &CreateSubAccount) -> Outcome {
    let kind = match it.kind {
        SubAccountKind::SubUser => pb::SubAccountKind::SubUser,
        SubAccountKind::WecomSubUser => pb::SubAccountKind::WecomSubUser,
        SubAccountKind::Collaborator => pb::SubAccountKind::Collaborator,
        SubAccountKind::MessageRecipient => pb::SubAccountKind::MessageRecipient,
    };
    let profile = &it.profile;
    send!(
        server,
        create_sub_account,
        CreateSubAccountRequest {
            uin: if is_allotted(it.uin) { 0 } else { it.uin },
            name: it.name.clone(),
            kind: kind.into(),
            remark: it.remark.clone(),
            console_login: profile.console_login,
            password: password(profile.password_hash.is_some()),
            generate_password: false,
            need_reset_password: profile.need_reset_password,
            phone_num: profile.phone_num.clone(),
            country_code: profile.country_code.clone(),
            email: profile.email.clone(),
        }
    )
}

async fn update_user(server: &Server, it: &UpdateSubAccount) -> Outcome {
    let profile = &it.profile;
    send!(
        server,
        update_sub_account,
        UpdateSubAccountRequest {
            uin: it.uin,
            name: it.name.clone(),
            remark: it.remark.clone(),
            console_login: profile.console_login,
            password: password(profile.password_hash.is_some()),
            generate_password: false,
            need_reset_password: profile.need_reset_password,
            phone_num: profile.phone_num.clone(),
            country_code: profile.country_code.clone(),
            email: profile.email.clone(),
        }
    )
}

async fn groups(server: &Server, command: &Command) -> Outcome {
    if let Command::CreateGroup(it) = command {
        let (name, remark) = (it.name.clone(), it.remark.clone());
        return send!(server, create_group, CreateGroupRequest { name, remark });
    }
    if let Command::UpdateGroup(it) = command {
        let (group_id, name, remark) = (group(&it.group), it.name.clone(), it.remark.clone());
        return send!(server, update_group, UpdateGroupRequest { group_id, name, remark });
    }
    if let Command::DeleteGroup(it) = command {
        let (group_id, force) = (group(&it.group), it.force);
        return send!(server, delete_group, DeleteGroupRequest { group_id, force });
    }
    if let Command::AddToGroup(it) = command {
        let (group_id, uin) = (group(&it.group), it.uin);
        return send!(server, add_group_member, AddGroupMemberRequest { group_id, uin });
    }
    let Command::RemoveFromGroup(it) = command else { panic!("{command:?}") };
    let (group_id, uin) = (group(&it.group), it.uin);
    send!(server, remove_group_member, RemoveGroupMemberRequest { group_id, uin })
}

async fn policies(server: &Server, command: &Command) -> Outcome {
    if let Command::CreatePolicy(it) = command {
        let (name, description) = (it.name.clone(), it.description.clone());
        let (document, tags) = (text(&it.document), it.tags.clone());
        return send!(
            server,
            create_policy,
            CreatePolicyRequest { name, description, document, tags }
        );
    }
    if let Command::UpdatePolicy(it) = command {
        let (policy_id, description) = (policy(&it.policy), it.description.clone());
        let document = it.document.as_deref().map(text);
        return send!(
            server,
            update_policy,
            UpdatePolicyRequest { policy_id, description, document }
        );
    }
    if let Command::CreatePolicyVersion(it) = command {
        let (policy_id, document) = (policy(&it.policy), text(&it.document));
        let set_as_default = it.set_default;
        return send!(
            server,
            create_policy_version,
            CreatePolicyVersionRequest { policy_id, document, set_as_default }
        );
    }
    if let Command::SetDefaultPolicyVersion(it) = command {
        let (policy_id, version) = (policy(&it.policy), it.version.0);
        return send!(
            server,
            set_default_policy_version,
            SetDefaultPolicyVersionRequest { policy_id, version }
        );
    }
    if let Command::DeletePolicyVersion(it) = command {
        let (policy_id, version) = (policy(&it.policy), it.version.0);
        return send!(
            server,
            delete_policy_version,
            DeletePolicyVersionRequest { policy_id, version }
        );
    }
    let Command::DeletePolicy(it) = command else { panic!("{command:?}") };
    let (policy_id, force) = (policy(&it.policy), it.force);
    send!(server, delete_policy, DeletePolicyRequest { policy_id, force })
}

async fn holdings(server: &Server, command: &Command) -> Outcome {
    if let Command::AttachPolicy(it) = command {
        let (policy_id, (uin, group_id, role_id)) = (policy(&it.policy), target(&it.target));
        return send!(
            server,
            attach_policy,
            AttachPolicyRequest { policy_id, uin, group_id, role_id }
        );
    }
    if let Command::DetachPolicy(it) = command {
        let (policy_id, (uin, group_id, role_id)) = (policy(&it.policy), target(&it.target));
        return send!(
            server,
            detach_policy,
            DetachPolicyRequest { policy_id, uin, group_id, role_id }
        );
    }
    if let Command::PutBoundary(it) = command {
        let (policy_id, (uin, role_id)) = (policy(&it.policy), bounded(&it.target));
        return send!(server, put_boundary, PutBoundaryRequest { uin, policy_id, role_id });
    }
    let Command::DeleteBoundary(it) = command else { panic!("{command:?}") };
    let (uin, role_id) = bounded(&it.target);
    send!(server, delete_boundary, DeleteBoundaryRequest { uin, role_id })
}

async fn apps(server: &Server, command: &Command) -> Outcome {
    if let Command::CreateApp(it) = command {
        let (sdkappid, name, tags) = (it.sdkappid, it.name.clone(), it.tags.clone());
        return send!(server, create_app, CreateAppRequest { sdkappid, name, tags });
    }
    if let Command::UpdateApp(it) = command {
        let (sdkappid, name) = (it.sdkappid, it.name.clone());
        let tags = it.tags.clone().map(|tags| pb::TagMap { tags });
        return send!(server, update_app, UpdateAppRequest { sdkappid, name, tags });
    }
    let Command::DeleteApp(it) = command else { panic!("{command:?}") };
    send!(server, delete_app, DeleteAppRequest { sdkappid: it.sdkappid })
}

async fn create_role(server: &Server, it: &CreateRole) -> Outcome {
    send!(
        server,
        create_role,
        CreateRoleRequest {
            name: it.name.clone(),
            description: it.description.clone(),
            trust_policy: text(&it.trust_policy),
            session_duration_s: it.session_duration_s,
            console_login: it.console_login,
            tags: it.tags.clone(),
        }
    )
}

async fn update_role(server: &Server, it: &UpdateRole) -> Outcome {
    send!(
        server,
        update_role,
        UpdateRoleRequest {
            role_id: role(&it.role),
            description: it.description.clone(),
            trust_policy: it.trust_policy.as_deref().map(text),
            session_duration_s: it.session_duration_s,
            console_login: it.console_login,
        }
    )
}

async fn create_key(server: &Server, it: &CreateAccessKey) -> Outcome {
    let (uin, description) = (it.holder, it.description.clone());
    send!(server, create_access_key, CreateAccessKeyRequest { uin, description })
}

async fn update_key(server: &Server, it: &UpdateAccessKey) -> Outcome {
    let status = match it.status {
        None => pb::KeyStatus::Unspecified,
        Some(KeyStatus::Active) => pb::KeyStatus::Active,
        Some(KeyStatus::Inactive) => pb::KeyStatus::Inactive,
    };
    send!(
        server,
        update_access_key,
        UpdateAccessKeyRequest {
            secret_id: it.secret_id.to_string(),
            status: status.into(),
            description: it.description.clone(),
        }
    )
}

async fn delete_key(server: &Server, it: &DeleteAccessKey) -> Outcome {
    let secret_id = it.secret_id.to_string();
    send!(server, delete_access_key, DeleteAccessKeyRequest { secret_id })
}
