//! The envelope of answers: `{"Response": {…, "RequestId": …}}`, success and refusal alike.
//!
//! The official clients take anything but HTTP status 200 for a failure of the transport, and read
//! `Error` only where the content type is exactly `application/json`; so both never vary.

use serde_json::{Map, Value, json};

use super::error::CamError;

/// What an action answers with.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::service) struct Done {
    /// The fields of the answer.
    pub(in crate::service) fields: Map<String, Value>,
    /// The token of the revision that it holds: what it wrote, or what it read.
    pub(in crate::service) revision: String,
}

/// An answer to send.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::service) struct Reply {
    /// The body.
    pub(in crate::service) body: Vec<u8>,
    /// For the header of the revision; none in a refusal.
    pub(in crate::service) revision: Option<String>,
}

/// Puts an outcome into its envelope.
pub(in crate::service) fn reply(request_id: &str, outcome: Result<Done, CamError>) -> Reply {
    let (mut response, revision) = match outcome {
        Ok(done) => (done.fields, Some(done.revision)),
        Err(CamError { code, message, decision }) => {
            let mut error = json!({"Code": code, "Message": message});
            if let (Some(decision), Some(error)) = (decision, error.as_object_mut()) {
                error.insert("Decision".to_owned(), decision);
            }
            (Map::from_iter([("Error".to_owned(), error)]), None)
        }
    };
    response.insert("RequestId".to_owned(), Value::from(request_id));
    Reply { body: json!({"Response": response}).to_string().into_bytes(), revision }
}
