//! Generates the protobuf messages from `proto/`, without protoc.

fn main() {
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        // a static program relocates itself: in a list of bits, not in 24 bytes each
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs,-O2");
    }
    println!("cargo::rerun-if-changed=proto/immudb.proto");
    protobuf_codegen::Codegen::new()
        .pure()
        .include("proto")
        .input("proto/immudb.proto")
        .cargo_out_dir("proto")
        .run_from_script();
}
