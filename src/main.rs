//! The binary: embeds CPython and serves.
fn main() {}
