//! `watch`: the changes of an account, as they happen.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::answer::{CliError, ExitStatus, Format};
use super::client::Client;
use super::view;
use crate::service::proto;

/// Shows an account, then its changes as they happen
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate watch --output json\n\n\
    Ends with Ctrl-C, or after `--count` events.")]
pub struct Watch {
    /// Only what comes after this revision, without a snapshot first
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub after: String,
    /// End after so many events; 0 never
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub count: u64,
    /// Also show bookmarks: revisions at which nothing of the account changed
    #[arg(long)]
    pub bookmarks: bool,
}

impl Watch {
    /// Prints events until the stream ends or enough have come.
    ///
    /// # Errors
    /// What the server refuses; an output that cannot be written.
    pub async fn run(
        &self,
        client: &mut Client,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<ExitStatus, CliError> {
        let request =
            proto::WatchRequest { owner_uin: client.owner().await?, after: self.after.clone() };
        let mut stream = client.watch.watch(request).await?.into_inner();
        let mut shown = 0_u64;
        while let Some(response) = stream.message().await? {
            let Some(event) = response.event else { continue };
            if matches!(event, proto::watch_response::Event::Bookmark(_)) && !self.bookmarks {
                continue;
            }
            match format {
                Format::Json => writeln!(out, "{}", event_json(&event))?,
                Format::Table => writeln!(out, "{}", event_text(&event))?,
            }
            out.flush()?;
            shown = shown.saturating_add(1);
            if shown == self.count {
                return Ok(ExitStatus::Fine);
            }
        }
        Err(CliError::CannotTell("the server ended the stream".to_owned()))
    }
}

fn event_json(event: &proto::watch_response::Event) -> Value {
    use proto::watch_response::Event;
    match event {
        Event::Snapshot(it) => json!({
            "event": "snapshot",
            "revision": it.revision,
            "objects": it.objects.iter().map(object).collect::<Vec<_>>(),
        }),
        Event::Delta(it) => json!({
            "event": "delta",
            "revision": it.revision,
            "put": it.put.iter().map(object).collect::<Vec<_>>(),
            "removed": it.removed.iter().map(key).collect::<Vec<_>>(),
        }),
        Event::Presets(it) => json!({
            "event": "presets",
            "revision": it.revision,
            "operator_presets": it.operator_presets.iter().map(view::policy).collect::<Vec<_>>(),
        }),
        Event::Bookmark(it) => json!({ "event": "bookmark", "revision": it.revision }),
    }
}

fn event_text(event: &proto::watch_response::Event) -> String {
    use proto::watch_response::Event;
    let mut lines = Vec::new();
    match event {
        Event::Snapshot(it) => {
            lines.push(format!("snapshot at revision {}", it.revision));
            lines.extend(it.objects.iter().map(|put| format!("  {}", object_text(put))));
        }
        Event::Delta(it) => {
            lines.push(format!("change at revision {}", it.revision));
            lines.extend(it.put.iter().map(|put| format!("  put {}", object_text(put))));
            lines.extend(it.removed.iter().map(|gone| format!("  removed {}", key(gone))));
        }
        Event::Presets(it) => {
            lines.push(format!("the operator's presets at revision {}", it.revision));
            let presets = it.operator_presets.iter();
            lines.extend(presets.map(|it| format!("  preset {} ({})", it.policy_id, it.name)));
        }
        Event::Bookmark(it) => lines.push(format!("no change up to revision {}", it.revision)),
    }
    lines.join("\n")
}

fn object(object: &proto::AccountObject) -> Value {
    use proto::account_object::Object;
    match &object.object {
        Some(Object::Account(it)) => json!({ "account": view::account(it) }),
        Some(Object::SubAccount(it)) => json!({ "sub_account": view::user(it) }),
        Some(Object::Group(it)) => json!({ "group": view::group(it) }),
        Some(Object::Policy(it)) => json!({ "policy": view::policy(it) }),
        Some(Object::App(it)) => json!({ "app": view::app(it) }),
        Some(Object::Role(it)) => json!({ "role": view::role(it) }),
        None => Value::Null,
    }
}

fn object_text(object: &proto::AccountObject) -> String {
    use proto::account_object::Object;
    match &object.object {
        Some(Object::Account(it)) => format!("account {}", it.owner_uin),
        Some(Object::SubAccount(it)) => format!("sub-account {} ({})", it.uin, it.name),
        Some(Object::Group(it)) => format!("group {} ({})", it.group_id, it.name),
        Some(Object::Policy(it)) => format!("policy {} ({})", it.policy_id, it.name),
        Some(Object::App(it)) => format!("app {} ({})", it.sdkappid, it.name),
        Some(Object::Role(it)) => format!("role {} ({})", it.role_id, it.name),
        None => "unknown".to_owned(),
    }
}

fn key(key: &proto::ObjectKey) -> Value {
    use proto::object_key::Key;
    match &key.key {
        Some(Key::SubAccountUin(uin)) => json!({ "sub_account_uin": uin }),
        Some(Key::GroupId(id)) => json!({ "group_id": id }),
        Some(Key::PolicyId(id)) => json!({ "policy_id": id }),
        Some(Key::Sdkappid(id)) => json!({ "sdkappid": id }),
        Some(Key::RoleId(id)) => json!({ "role_id": id }),
        None => Value::Null,
    }
}
