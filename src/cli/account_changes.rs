//! `account changes`: the change log of an account, and whether its chain holds.

use serde_json::{Value, json};

use super::answer::{Answer, CliError, ExitStatus, table_or};
use super::client::{Client, Pages};
use super::view;
use crate::lang::hex::hex;
use crate::service::proto;

/// Lists the log from an entry on; entries that are not proved make it exit status 1.
///
/// # Errors
/// What the server refuses.
pub async fn changes(client: &mut Client, first_sequence: u64) -> Result<Answer, CliError> {
    let owner_uin = client.owner().await?;
    let (mut records, mut pages) = (Vec::new(), Pages::default());
    let revision = loop {
        let page = pages.request();
        let consistency = None;
        let request =
            proto::ListChangeRecordsRequest { owner_uin, first_sequence, consistency, page };
        let response = client.administration.list_change_records(request).await?.into_inner();
        records.extend(response.records);
        if !pages.goes_on(response.next_page_token) {
            break response.revision;
        }
    };
    let text = rows(&records);
    let list: Vec<Value> = records.iter().map(record).collect();
    let answer = Answer::new(json!({ "changes": list, "revision": revision }), text);
    let is_proved = records.iter().all(|it| it.is_verified);
    Ok(if is_proved { answer } else { answer.with_status(ExitStatus::Denied) })
}

/// Entries as a table.
pub(super) fn rows(records: &[proto::ChangeRecord]) -> String {
    let header = ["NUMBER", "TIME", "WHO", "FROM", "CALL", "OPERATIONS", "RECORDS", "PROVED"];
    table_or("no changes", &header, records.iter().map(row).collect())
}

/// An entry as one line of a stream.
pub(super) fn line(record: &proto::ChangeRecord) -> String {
    let cells = row(record);
    let keys: Vec<&str> = record.records.iter().map(|it| it.key.as_str()).collect();
    let proof = if record.is_verified { String::new() } else { format!(" ({})", record.problem) };
    let said: Vec<&str> = cells.iter().take(6).map(String::as_str).collect();
    format!("{} {}{proof}", said.join(" "), keys.join(" "))
}

fn row(record: &proto::ChangeRecord) -> Vec<String> {
    let omitted = usize::try_from(record.omitted_records).unwrap_or(usize::MAX);
    vec![
        record.sequence.to_string(),
        view::instant(record.at.as_ref()),
        who(record.actor.as_ref()),
        record.source.clone(),
        record.call.clone(),
        record.operations.join(", "),
        record.records.len().saturating_add(omitted).to_string(),
        if record.is_verified { "yes".to_owned() } else { format!("no: {}", record.problem) },
    ]
}

fn who(actor: Option<&proto::ChangeActor>) -> String {
    match actor {
        None => String::new(),
        Some(proto::ChangeActor { uin: None, service_caller, .. }) if service_caller.is_empty() => {
            "operator".to_owned()
        }
        Some(proto::ChangeActor { uin: None, service_caller, .. }) => {
            format!("operator ({service_caller})")
        }
        Some(proto::ChangeActor { uin: Some(uin), session, .. }) if session.is_empty() => {
            uin.to_string()
        }
        Some(proto::ChangeActor { uin: Some(uin), session, .. }) => format!("{uin} ({session})"),
    }
}

/// An entry for programs.
pub(super) fn record(record: &proto::ChangeRecord) -> Value {
    let protocol = proto::ChangeProtocol::try_from(record.protocol)
        .map_or_else(|_| String::new(), |it| view::word(it.as_str_name(), "CHANGE_PROTOCOL"));
    let actor = record.actor.as_ref().map(|actor| {
        json!({
            "uin": actor.uin,
            "owner_uin": actor.owner_uin,
            "secret_id": actor.secret_id,
            "session": actor.session,
            "service_caller": actor.service_caller,
        })
    });
    json!({
        "sequence": record.sequence,
        "revision": record.revision,
        "at": view::instant(record.at.as_ref()),
        "actor": actor,
        "protocol": protocol,
        "call": record.call,
        "source": record.source,
        "request_id": record.request_id,
        "operations": record.operations,
        "records": record.records.iter().map(record_change).collect::<Vec<_>>(),
        "omitted_records": record.omitted_records,
        "is_verified": record.is_verified,
        "problem": record.problem,
    })
}

fn record_change(change: &proto::RecordChange) -> Value {
    json!({
        "key": change.key,
        "before": change.before.as_ref().map(content),
        "after": change.after.as_ref().map(content),
    })
}

/// Bytes in hexadecimal digits.
fn content(content: &proto::RecordContent) -> Value {
    use proto::record_content::Content;
    match &content.content {
        Some(Content::Whole(bytes)) => json!({ "whole": hex(bytes) }),
        Some(Content::Sha256(sha256)) => {
            json!({ "sha256": hex(sha256), "length": content.length })
        }
        None => Value::Null,
    }
}
