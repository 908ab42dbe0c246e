//! Generates the protobuf messages from `proto/`, without protoc.

fn main() {
    println!("cargo::rerun-if-changed=proto/immudb.proto");
    protobuf_codegen::Codegen::new()
        .pure()
        .include("proto")
        .input("proto/immudb.proto")
        .cargo_out_dir("proto")
        .run_from_script();
}
