//! Passwords in requests: given by the caller, or made here and shown in one answer.
//!
//! A password is no part of a request's digest, because a fast hash of it would undo the slow one;
//! and no part of a kept answer, because that is stored.

use zeroize::Zeroizing;

use super::Answered;
use crate::authn::password::{Password, PasswordError};
use crate::directory::PasswordHash;
use crate::node::{NodeError, hash_password};
use crate::service::proto;

/// A password about to be set.
pub(super) struct NewPassword {
    /// What is kept.
    pub(super) hash: PasswordHash,
    /// The password itself, when it was made here.
    made: Option<Password>,
}

impl NewPassword {
    /// The password that a request sets; none when it sets none.
    pub(super) async fn read(
        given: Option<proto::Secret>,
        generate: bool,
    ) -> Result<Option<Self>, NodeError> {
        let (password, is_made) = match (given, generate) {
            (None, false) => return Ok(None),
            (None, true) => (Password::generate().map_err(PasswordError::from)?, true),
            (Some(proto::Secret { text }), false) => (Password::new(Zeroizing::new(text))?, false),
            (Some(_), true) => {
                return Err(NodeError::BadField {
                    field: "password".to_owned(),
                    problem: "is given and to be generated: ask for one of both".to_owned(),
                });
            }
        };
        let made = is_made.then(|| password.clone());
        Ok(Some(Self { hash: hash_password(password).await?, made }))
    }

    /// What the answer shows: a password that was made, if it was set by this very request.
    pub(super) fn shown<R>(new: Option<&Self>, answered: &Answered<R>) -> Option<proto::Secret> {
        let made = new?.made.as_ref().filter(|_| answered.is_done_now)?;
        Some(proto::Secret { text: made.expose().to_owned() })
    }
}
