//! Entries of the change log to stored bytes and back.
//!
//! An entry's digest is of its bytes, so they are made once, when it is written, and never again.

use prost::Message as _;

use super::decode::{Decoded, check_format, check_key, message};
use super::{FORMAT, RecordProblem};
use crate::audit::{Actor, ChangeEntry, Content, Omitted, Origin, Protocol, RecordChange};
use crate::directory::UnixMillis;
use crate::store::proto;

/// The bytes of an entry of the change log.
#[must_use]
pub fn encode_change_entry(entry: &ChangeEntry) -> Vec<u8> {
    let ChangeEntry { owner_uin, sequence, previous, at, origin, operations, records, omitted } =
        entry;
    let Origin { actor: who, protocol, call, source, request_id, service_caller } = origin;
    let message = proto::ChangeEntry {
        format: FORMAT,
        owner_uin: *owner_uin,
        sequence: *sequence,
        previous_digest: previous.to_vec(),
        at_ms: at.0,
        actor: Some(actor(who, service_caller)),
        protocol: protocol_word(*protocol).into(),
        call: call.clone(),
        source: source.clone(),
        request_id: request_id.clone(),
        operations: operations.clone(),
        records: records.iter().map(record_change).collect(),
        omitted_records: omitted.map_or(0, |it| it.records),
        omitted_sha256: omitted.map_or_else(Vec::new, |it| it.sha256.to_vec()),
    };
    message.encode_to_vec()
}

fn actor(actor: &Actor, service_caller: &str) -> proto::ChangeActor {
    let service_caller = service_caller.to_owned();
    match actor {
        Actor::Operator => proto::ChangeActor { service_caller, ..proto::ChangeActor::default() },
        Actor::Caller { uin, owner_uin, secret_id, session } => proto::ChangeActor {
            uin: Some(*uin),
            owner_uin: *owner_uin,
            secret_id: secret_id.clone(),
            session: session.clone(),
            service_caller,
        },
    }
}

fn protocol_word(protocol: Protocol) -> proto::ChangeProtocol {
    match protocol {
        Protocol::Direct => proto::ChangeProtocol::Direct,
        Protocol::Grpc => proto::ChangeProtocol::Grpc,
        Protocol::CamApi => proto::ChangeProtocol::CamApi,
    }
}

fn record_change(change: &RecordChange) -> proto::RecordChange {
    let RecordChange { key, before, after } = change;
    proto::RecordChange {
        key: key.clone(),
        before: before.as_ref().map(content),
        after: after.as_ref().map(content),
    }
}

fn content(content: &Content) -> proto::ChangeContent {
    use proto::change_content::Content as Word;
    match content {
        Content::Whole(bytes) => {
            proto::ChangeContent { content: Some(Word::Whole(bytes.clone())), length: 0 }
        }
        Content::Digest { sha256, length } => {
            proto::ChangeContent { content: Some(Word::Sha256(sha256.to_vec())), length: *length }
        }
    }
}

pub(super) fn decode(owner: u64, number: u64, value: &[u8]) -> Decoded<ChangeEntry> {
    let proto::ChangeEntry {
        format,
        owner_uin,
        sequence,
        previous_digest,
        at_ms,
        actor,
        protocol,
        source,
        request_id,
        operations,
        records,
        omitted_records,
        omitted_sha256,
        call,
    } = message(value)?;
    check_format(format)?;
    check_key("owner_uin", owner, owner_uin)?;
    check_key("sequence", number, sequence)?;
    let (actor, service_caller) = actor_of(actor.ok_or(RecordProblem::BadField("actor"))?);
    let protocol = protocol_of(protocol)?;
    let records: Decoded<Vec<RecordChange>> = records.into_iter().map(record_change_of).collect();
    Ok(ChangeEntry {
        owner_uin,
        sequence,
        previous: digest_of("previous_digest", previous_digest)?,
        at: UnixMillis(at_ms),
        origin: Origin { actor, protocol, call, source, request_id, service_caller },
        operations,
        records: records?,
        omitted: match omitted_records {
            0 => None,
            records => {
                let sha256 = digest_of("omitted_sha256", omitted_sha256)?;
                Some(Omitted { records, sha256 })
            }
        },
    })
}

/// Who asked, and through which service caller.
fn actor_of(actor: proto::ChangeActor) -> (Actor, String) {
    let proto::ChangeActor { uin, owner_uin, secret_id, session, service_caller } = actor;
    let actor = match uin {
        None => Actor::Operator,
        Some(uin) => Actor::Caller { uin, owner_uin, secret_id, session },
    };
    (actor, service_caller)
}

/// Which entry of which account's log these bytes say they are, whatever key they stand under; none
/// when they are no entry.
#[must_use]
pub fn change_entry_place(value: &[u8]) -> Option<(u64, u64)> {
    let entry = proto::ChangeEntry::decode(value).ok()?;
    (entry.sequence > 0 && entry.actor.is_some()).then_some((entry.owner_uin, entry.sequence))
}

fn protocol_of(number: i32) -> Decoded<Protocol> {
    match proto::ChangeProtocol::try_from(number) {
        Ok(proto::ChangeProtocol::Direct) => Ok(Protocol::Direct),
        Ok(proto::ChangeProtocol::Grpc) => Ok(Protocol::Grpc),
        Ok(proto::ChangeProtocol::CamApi) => Ok(Protocol::CamApi),
        Ok(proto::ChangeProtocol::Unspecified) | Err(_) => Err(RecordProblem::BadField("protocol")),
    }
}

fn record_change_of(change: proto::RecordChange) -> Decoded<RecordChange> {
    let proto::RecordChange { key, before, after } = change;
    let (before, after) = (before.map(content_of).transpose()?, after.map(content_of).transpose()?);
    Ok(RecordChange { key, before, after })
}

fn content_of(content: proto::ChangeContent) -> Decoded<Content> {
    use proto::change_content::Content as Word;
    let proto::ChangeContent { content, length } = content;
    match content {
        Some(Word::Whole(bytes)) => Ok(Content::Whole(bytes)),
        Some(Word::Sha256(sha256)) => {
            Ok(Content::Digest { sha256: digest_of("records", sha256)?, length })
        }
        None => Err(RecordProblem::BadField("records")),
    }
}

fn digest_of(field: &'static str, bytes: Vec<u8>) -> Decoded<[u8; 32]> {
    bytes.try_into().map_err(|_| RecordProblem::BadField(field))
}
