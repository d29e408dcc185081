//! The generated type of the kept snapshot. No logic.

#[expect(unreachable_pub, reason = "generated from proto/camgate/layer/v1, where the comments are")]
mod generated {
    pub(crate) mod camgate {
        pub(crate) mod v1 {
            pub(crate) use crate::service::proto::*;
        }
        pub(crate) mod layer {
            pub(crate) mod v1 {
                tonic::include_proto!("camgate.layer.v1");
            }
        }
    }
}

pub(super) use generated::camgate::layer::v1::KeptSnapshot;
