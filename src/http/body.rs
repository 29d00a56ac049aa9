//! Framing of a request's body.
