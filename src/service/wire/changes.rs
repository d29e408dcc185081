//! From entries of the change log to messages.

use super::objects::timestamp;
use crate::audit::{Actor, ChangeEntry, Content, Origin, Protocol, RecordChange};
use crate::node::{LoggedChange, Node};
use crate::service::proto;

/// One entry, with what is wrong with it.
pub(in crate::service) fn record(node: &Node, change: LoggedChange) -> proto::ChangeRecord {
    let LoggedChange { sequence, revision, entry, problem } = change;
    let mut record = entry.map(said).unwrap_or_default();
    record.sequence = sequence;
    record.revision = revision.map(|revision| node.token(revision)).unwrap_or_default();
    record.is_verified = problem.is_none();
    record.problem = problem.unwrap_or_default();
    record
}

/// What an entry says.
fn said(entry: ChangeEntry) -> proto::ChangeRecord {
    let ChangeEntry { at, origin, operations, records, omitted, .. } = entry;
    let Origin { actor: who, protocol, call, source, request_id, service_caller } = origin;
    proto::ChangeRecord {
        at: timestamp(at),
        actor: Some(actor(who, service_caller)),
        protocol: protocol_word(protocol).into(),
        call,
        source,
        request_id,
        operations,
        records: records.into_iter().map(record_change).collect(),
        omitted_records: omitted.map_or(0, |it| it.records),
        ..proto::ChangeRecord::default()
    }
}

fn actor(actor: Actor, service_caller: String) -> proto::ChangeActor {
    match actor {
        Actor::Operator => proto::ChangeActor { service_caller, ..proto::ChangeActor::default() },
        Actor::Caller { uin, owner_uin, secret_id, session } => {
            proto::ChangeActor { uin: Some(uin), owner_uin, secret_id, session, service_caller }
        }
    }
}

fn protocol_word(protocol: Protocol) -> proto::ChangeProtocol {
    match protocol {
        Protocol::Direct => proto::ChangeProtocol::Direct,
        Protocol::Grpc => proto::ChangeProtocol::Grpc,
        Protocol::CamApi => proto::ChangeProtocol::CamApi,
    }
}

fn record_change(change: RecordChange) -> proto::RecordChange {
    let RecordChange { key, before, after } = change;
    let key = String::from_utf8_lossy(&key).into_owned();
    proto::RecordChange { key, before: before.map(content), after: after.map(content) }
}

fn content(content: Content) -> proto::RecordContent {
    use proto::record_content::Content as Word;
    match content {
        Content::Whole(bytes) => {
            proto::RecordContent { content: Some(Word::Whole(bytes)), length: 0 }
        }
        Content::Digest { sha256, length } => {
            proto::RecordContent { content: Some(Word::Sha256(sha256.to_vec())), length }
        }
    }
}
