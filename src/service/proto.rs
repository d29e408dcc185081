//! The generated types of the API, and the descriptors for reflection. No logic.

#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/camgate/v1, where the comments are"
)]
mod generated {
    tonic::include_proto!("camgate.v1");
}

pub use generated::*;

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// All descriptors of `proto/`, encoded as a `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/camgate_descriptors.bin"));
