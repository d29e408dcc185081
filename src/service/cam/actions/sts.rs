//! Temporary credentials, and who the caller is.
//!
//! The node makes credentials, and decides each of these actions itself. A secret leaves the server
//! in the one answer that makes it.

use percent_encoding::percent_decode;
use serde_json::{Value, json};

use super::objects::{iso_time, unix_seconds};
use super::{fields, keys, look, not_built};
use crate::authn::vault::claims::SessionKind;
use crate::directory::{KeyStatus, UnixMillis};
use crate::node::{AssumeRole, Credentials, FederationToken, RoleName, SessionToken, StsError};
use crate::service::cam::Call;
use crate::service::cam::authorize::{context, refusal};
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::status;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "AssumeRole" => assume_role(call).await,
        "GetFederationToken" => federation_token(call).await,
        "GetSessionToken" => session_token(call).await,
        "GetCallerIdentity" => caller_identity(call).await,
        "QueryApiKey" => query_api_key(call).await,
        _ => Err(not_built(call)),
    }
}

/// A second factor cannot be shown: there are no devices.
fn no_second_factor(call: &Call<'_>) -> Result<(), CamError> {
    let given = |name| call.params.text(name).is_some_and(|text| !text.is_empty());
    if given("SerialNumber") || given("TokenCode") {
        let message = "there are no MFA devices here: leave `SerialNumber` and `TokenCode` out";
        return Err(CamError::new("AuthFailure.MFAFailure", message));
    }
    Ok(())
}

/// A session policy, which clients encode once more for URLs. What begins as JSON is taken as it
/// stands, because decoding would change its `%` and `+`.
fn policy(call: &Call<'_>) -> Result<Option<String>, CamError> {
    let Some(text) = call.params.text("Policy").filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    if text.trim_start().starts_with('{') {
        return Ok(Some(text.to_owned()));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    decoded.map(|it| Some(it.into_owned())).map_err(|_| {
        let message = "the parameter `Policy` is not UTF-8 after URL-decoding it once";
        CamError::new("InvalidParameter.StrategyFormatError", message)
    })
}

async fn assume_role(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    no_second_factor(call)?;
    for name in ["Tags", "SourceIdentity"] {
        if params.has(name) {
            let message = format!("`{name}` is not kept in sessions here: leave it out");
            return Err(CamError::new("UnsupportedOperation", message));
        }
    }
    let arn = params.need_text("RoleArn")?;
    let role = RoleName::parse(arn).ok_or_else(|| {
        let expected = "must be `qcs::cam::uin/<owner>:role/<id>` or `…:roleName/<name>`";
        CamError {
            code: "InvalidParameter.ParamError".into(),
            ..CamError::bad_value("RoleArn", expected)
        }
    })?;
    let request = AssumeRole {
        role,
        session_name: params.need_text("RoleSessionName")?.to_owned(),
        duration_s: params.number("DurationSeconds"),
        policy: policy(call)?,
        external_id: params.text("ExternalId").map(str::to_owned),
        context: context(call)?,
    };
    let made = call.node.assume_role(&call.caller.proven, request).await;
    made.map(|it| credentials(call, &it)).map_err(|error| refused(call, error))
}

async fn federation_token(call: &Call<'_>) -> Result<Done, CamError> {
    let request = FederationToken {
        name: call.params.need_text("Name")?.to_owned(),
        duration_s: call.params.number("DurationSeconds"),
        policy: policy(call)?.unwrap_or_default(),
        context: context(call)?,
    };
    let made = call.node.federation_token(&call.caller.proven, request).await;
    made.map(|it| credentials(call, &it)).map_err(|error| refused(call, error))
}

async fn session_token(call: &Call<'_>) -> Result<Done, CamError> {
    no_second_factor(call)?;
    let request =
        SessionToken { duration_s: call.params.number("DurationSeconds"), context: context(call)? };
    let made = call.node.session_token(&call.caller.proven, request).await;
    made.map(|it| credentials(call, &it)).map_err(|error| refused(call, error))
}

/// The answer with a credential.
fn credentials(call: &Call<'_>, made: &Credentials) -> Done {
    let expires_at = UnixMillis(made.expires_at_ms);
    let fields = fields(json!({
        "Credentials": {
            "Token": made.token,
            "TmpSecretId": made.secret_id,
            "TmpSecretKey": made.secret.expose(),
        },
        "ExpiredTime": unix_seconds(expires_at),
        "Expiration": iso_time(expires_at),
    }));
    Done { fields, revision: call.node.token(call.node.applied_revision()) }
}

fn refused(call: &Call<'_>, error: StsError) -> CamError {
    if let StsError::Refused(it) = &error {
        return refusal(call, &it.resource, &it.answer);
    }
    let message = error.to_string();
    match (error.code(), error) {
        (None, StsError::Node(error)) => status::cam(error),
        (code, _) => CamError::new(code.unwrap_or("InternalError"), message),
    }
}

async fn caller_identity(call: &Call<'_>) -> Result<Done, CamError> {
    let caller = &call.caller.proven;
    let (owner, principal) = (caller.owner_uin(), caller.principal());
    let session = caller.session();
    let (kind, user, arn) = match session.map(|it| (it.kind(), it.name())) {
        Some((SessionKind::Role, name)) => (
            "CAMRole",
            format!("{principal}:{name}"),
            format!("qcs::sts:{owner}:assumed-role/{principal}"),
        ),
        Some((SessionKind::Federation, name)) => (
            "CAMUser",
            format!("{principal}:{name}"),
            format!("qcs::sts:{owner}:federated-user/{principal}"),
        ),
        Some((SessionKind::Session, _)) | None => {
            ("CAMUser", principal.to_string(), format!("qcs::cam:{owner}:uin/{principal}"))
        }
    };
    let holder = session.map_or(principal, |it| it.issuer().uin);
    let fields = fields(json!({
        "Arn": arn,
        "AccountId": owner.to_string(),
        "UserId": user,
        "PrincipalId": holder.to_string(),
        "Type": kind,
    }));
    Ok(Done { fields, revision: call.node.token(call.node.applied_revision()) })
}

/// `Status` of `QueryApiKey`.
fn status_number(status: KeyStatus) -> u64 {
    match status {
        KeyStatus::Active => 2,
        KeyStatus::Inactive => 3,
    }
}

async fn query_api_key(call: &Call<'_>) -> Result<Done, CamError> {
    let holder = keys::holder(call)?;
    let look = look(call).await?;
    let found = keys::keys_of(&look, call, holder)?;
    let found: Vec<Value> = found
        .iter()
        .map(|key| {
            json!({
                "SecretId": key.secret_id.as_str(),
                "CreateTime": unix_seconds(key.created_at),
                "Status": status_number(key.status),
            })
        })
        .collect();
    let fields = fields(json!({"IdKeys": found}));
    Ok(look.done(fields))
}
