//! Compiles every `.proto` file below `proto/` with protox, so that no system `protoc` is needed.
//!
//! Writes one Rust file per package and one descriptor set, for server reflection, to `OUT_DIR`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    if env::var_os("CARGO_FEATURE_SERVER").is_none() {
        return Ok(());
    }
    let root = Path::new("proto");
    let mut files = Vec::new();
    find_protos(root, &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [root])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("camgate_descriptors.bin"), descriptors.encode_to_vec())?;
    // Sorted maps, so that equal messages have equal bytes: idempotency compares requests by hash.
    // Our codec, which needs the messages' names: tonic's own calls a caller's fault INTERNAL.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    // Its `Debug` is written by hand, and shows nothing.
    config.skip_debug([".camgate.v1.Secret"]);
    tonic_prost_build::configure()
        .btree_map(".")
        .codec_path("crate::service::codec::ApiCodec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}

fn find_protos(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
