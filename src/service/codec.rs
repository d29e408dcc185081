//! The codec of the API: protobuf, where bytes that a caller got wrong are the caller's fault.
//!
//! The codec that comes with tonic answers INTERNAL to a request that is no protobuf message, as if
//! the server had failed. This one answers INVALID_ARGUMENT and names the field. It must never
//! decode anything differently. Generated code calls it, on both sides of a connection.

use std::marker::PhantomData;

use prost::bytes::Buf as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{DecodeError, Message, Name};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::status::{bad_answer, bad_request, status};
use super::wire::request::{BATCH_ENTRIES_MAX, at_most};
use crate::directory::folder::FOLDER_FILES_MAX;

/// How the names of the messages that callers send end; every other message is an answer.
const REQUEST_SUFFIX: &str = "Request";
/// The long messages, and what they have many of: the field, its number, and how many are read.
const COUNTED: [(&str, &str, u32, usize); 2] = [
    ("BatchCheckRequest", "entries", 1, BATCH_ENTRIES_MAX),
    ("ApplyAccountRequest", "files", 2, FOLDER_FILES_MAX),
];
/// What `DecodeError` says before the fields and the problem.
const DECODE_ERROR_PREFIX: &str = "failed to decode Protobuf message: ";

/// Encodes `T` and decodes `U`.
#[derive(Debug, Clone)]
pub(crate) struct ApiCodec<T, U> {
    types: PhantomData<(T, U)>,
}

impl<T, U> Default for ApiCodec<T, U> {
    fn default() -> Self {
        Self { types: PhantomData }
    }
}

impl<T, U> Codec for ApiCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ApiDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        ApiDecoder { message: PhantomData }
    }
}

/// Decodes `U`.
#[derive(Debug, Clone)]
pub(crate) struct ApiDecoder<U> {
    message: PhantomData<U>,
}

impl<U: Message + Name + Default> Decoder for ApiDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        check_count(U::NAME, buffer.chunk())?;
        U::decode(buffer).map(Some).map_err(|error| {
            let (field, problem) = explain(&error);
            if U::NAME.ends_with(REQUEST_SUFFIX) {
                bad_request(U::NAME, &field, &problem)
            } else {
                bad_answer(U::NAME, &field, &problem)
            }
        })
    }
}

/// That a message has no more entries than are read. An empty entry has two bytes, and hundreds
/// once it is decoded, so they are counted before.
fn check_count(name: &str, message: &[u8]) -> Result<(), Status> {
    let Some((_, field, tag, limit)) = COUNTED.iter().find(|it| it.0 == name) else {
        return Ok(());
    };
    at_most(field, field, *limit, count_fields(message, *tag)).map_err(status)
}

/// How often a message has a field, at its top; up to where it is no message any more.
fn count_fields(mut message: &[u8], wanted: u32) -> usize {
    let mut count = 0;
    while !message.is_empty() {
        let Ok((tag, kind)) = decode_key(&mut message) else { return count };
        count += usize::from(tag == wanted);
        if skip_field(kind, tag, &mut message, DecodeContext::default()).is_err() {
            return count;
        }
    }
    count
}

/// The path of the field that cannot be decoded, and why. The path is empty when the fault is
/// between fields. The error has no other form than its text: `Inner.field: Outer.field: problem`.
fn explain(error: &DecodeError) -> (String, String) {
    let text = error.to_string();
    let mut problem = text.strip_prefix(DECODE_ERROR_PREFIX).unwrap_or(&text);
    let mut path: Vec<&str> = Vec::new();
    while let Some((place, rest)) = problem.split_once(": ")
        && let Some((_, field)) = place.split_once('.')
        && place.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
    {
        path.insert(0, field);
        problem = rest;
    }
    (path.join("."), problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::proto::CreatePolicyRequest;

    #[test]
    fn entries_are_counted_before_they_are_decoded() {
        use crate::service::proto::{BatchCheckRequest, CheckRequest, Consistency};
        let entry = CheckRequest { action: "a".to_owned(), ..CheckRequest::default() };
        let consistency = Some(Consistency { at_least: "x".to_owned() });
        for entries in [0, 1, 100, 101] {
            let entries = vec![entry.clone(); entries];
            let batch = BatchCheckRequest { entries, consistency: consistency.clone() };
            let bytes = batch.encode_to_vec();
            assert_eq!(count_fields(&bytes, 1), batch.entries.len());
            assert_eq!(
                check_count("BatchCheckRequest", &bytes).is_ok(),
                batch.entries.len() <= 100
            );
        }
        // What is no message is told by the decoder.
        assert_eq!(count_fields(b"\x0a\x00\x0a\xff", 1), 2);
    }

    fn explained(bytes: &[u8]) -> (String, String) {
        explain(&CreatePolicyRequest::decode(bytes).unwrap_err())
    }

    #[test]
    fn the_field_is_found_at_every_depth() {
        let (field, problem) = explained(b"\x22\x01\xff");
        assert_eq!(field, "document");
        assert!(problem.contains("UTF-8"), "{problem}");
        // Field 100, `options`, holds a message whose first text is no UTF-8.
        for inner in [b"\x0a\x01\xff", b"\x12\x01\xff"] {
            let (field, _) = explained(&[b"\xa2\x06\x03", &inner[..]].concat());
            assert!(field.starts_with("options."), "{field}");
        }
        // A tag of 0 belongs to no field.
        assert_eq!(explained(b"\x00").0, "");
    }
}
