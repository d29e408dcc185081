//! The codec of the API: protobuf, where bytes that a caller got wrong are the caller's fault.
//!
//! The codec that comes with tonic answers INTERNAL to a request that is no protobuf message, as if
//! the server had failed. This one answers INVALID_ARGUMENT and names the field. It must never
//! decode anything differently. Generated code calls it, on both sides of a connection.

use std::marker::PhantomData;

use prost::{DecodeError, Message, Name};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::status::{bad_answer, bad_request};

/// How the names of the messages that callers send end; every other message is an answer.
const REQUEST_SUFFIX: &str = "Request";
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
