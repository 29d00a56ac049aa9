//! The HTTP/1 state machine of one connection.
