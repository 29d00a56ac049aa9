//! The HTTP/1 machine, by the wire: literal bytes in, literal bytes out.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod basics;
mod peer;
