//! The generated types of what is sealed. No logic, and nobody but the vault uses them.

#[expect(unreachable_pub, reason = "generated from sealed.proto, where the comments are")]
mod generated {
    tonic::include_proto!("camgate.authn.v1");
}

pub(super) use generated::*;
