//! ASGI on the Python side of the border: scopes, `receive`, `send`, and the call of the
//! application. Everything here runs on the loop's thread with the GIL held, but for bytes that
//! are lent to a connection (`lent.rs`).
//!
//! ```text
//!   Request -> scope.rs ---------------> app(scope, receive, send)    app_call.rs drives it
//!   Body, Disconnect -> exchange.rs ---> receive()                    receive.rs waits for it
//!   HttpCommand <- exchange.rs <- message.rs <- send(message)         send.rs waits for credit
//! ```

pub mod app_call;
pub mod awaitable;
pub mod connection;
pub mod exchange;
pub mod header_names;
pub mod lent;
pub mod message;
pub mod receive;
pub mod scope;
pub mod send;
