//! permessage-deflate (RFC 7692).

pub mod offer;

pub use offer::Deflate;
