//! wip
#![allow(missing_docs, clippy::all)]
tonic::include_proto!("camgate.v1");
