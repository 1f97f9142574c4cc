//! Generates etcd's API from the one file that etcd-lockstep has of it, under etcd's own package name.
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let checkout = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../..");
    let sources = [("etcd.proto", "fake/fake_etcd/wire/etcd.proto"), ("target.proto", "adapters/proto/target.proto")];
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (name, path) in sources {
        let path = checkout.join(path);
        println!("cargo:rerun-if-changed={}", path.display());
        let text = fs::read_to_string(path)?;
        fs::write(out.join(name), text.replace("package fake_etcd.wire;", "package etcdserverpb;"))?;
    }
    let files = protox::compile(sources.map(|(name, _)| name), [&out])?;
    // With stubs, methods that aren't written answer UNIMPLEMENTED.
    tonic_prost_build::configure().build_client(false).generate_default_stubs(true).compile_fds(files)?;
    Ok(())
}
