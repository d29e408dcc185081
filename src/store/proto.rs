//! The generated types of the stored records. No logic, and nobody but `record` uses them.

#[expect(unreachable_pub, reason = "generated from records.proto, where the comments are")]
mod generated {
    tonic::include_proto!("camgate.store.v1");
}

pub(super) use generated::*;
