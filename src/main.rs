//! immuaudit: see `immuaudit --help`, and README.md.

#![forbid(unsafe_code)]

fn main() {
    immuaudit::command::main()
}
