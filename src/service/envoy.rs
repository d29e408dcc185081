//! The generated types of Envoy's external authorization. No logic.

#[expect(
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::doc_markdown,
    reason = "generated from proto/envoy and proto/google, where the comments are"
)]
mod generated {
    pub mod google {
        pub mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }
    pub mod envoy {
        pub mod config {
            pub mod core {
                pub mod v3 {
                    tonic::include_proto!("envoy.config.core.v3");
                }
            }
        }
        pub mod r#type {
            pub mod v3 {
                tonic::include_proto!("envoy.r#type.v3");
            }
        }
        pub mod service {
            pub mod auth {
                pub mod v3 {
                    tonic::include_proto!("envoy.service.auth.v3");
                }
            }
        }
    }
}

pub use generated::envoy::config::core::v3 as core;
pub use generated::envoy::service::auth::v3 as auth;
pub use generated::envoy::r#type::v3 as kind;
pub use generated::google::rpc;
