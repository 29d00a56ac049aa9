//! ASGI on the Python side of the border: scopes, `receive`, `send`, and the call of the
//! application. Everything here runs on the loop's thread with the GIL held, but for bytes that
//! are lent to a connection (`lent.rs`).
//!
//! ```text
//!   Request -> scope.rs ---------------> app(scope, receive, send)    app_call.rs drives it
//!   Body, Disconnect -> exchange/ -----> receive()                    receive.rs waits for it
//!   HttpCommand <- exchange/ <- message.rs <- send(message)           send.rs waits for credit
//!
//!   WsEvent -> websocket/ -> receive()      WsCommand <- websocket/ <- send(message)
//!   conversation.rs   either of the two, for those that need not know which
//!
//!   waiter.rs   what send() and receive() wait on;   gil_cell.rs   where all keep their state
//!   credit.rs   how much may be unsent;   spare.rs   the objects that send() and receive() return
//!   border.rs   what all exchanges of a server share: requests in flight, turns, logs
//!   access.rs   the access log;   log.rs   server messages;   tls.rs   the extension `tls`
//! ```

pub mod access;
pub mod app_call;
pub mod awaitable;
pub mod border;
pub mod connection;
pub mod conversation;
pub mod credit;
pub mod exchange;
pub mod gil_cell;
pub mod header_names;
pub mod lent;
pub mod log;
pub mod message;
pub mod methods;
pub mod receive;
pub mod scope;
pub mod send;
pub mod spare;
pub mod tls;
pub mod waiter;
pub mod websocket;

pyo3::create_exception!(
    smolcorn._core,
    ClientDisconnected,
    pyo3::exceptions::PyOSError,
    "The client is gone: nothing can be sent to it any more."
);
