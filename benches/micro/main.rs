//! What the parts of a request cost, each measured alone: `cargo bench --bench micro`, with a part
//! of a name behind it to choose. Each function answers the question above it.
//!
//! Nothing here tells how fast the server is; `make bench` does.
#![allow(clippy::unwrap_used)]

mod actors;
mod http;
mod scope;

fn main() {
    divan::main();
}
