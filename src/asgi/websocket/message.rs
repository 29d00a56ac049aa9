//! What an application sends on a WebSocket, read and checked once, here at the border.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use smolcorn_actors::outbox::{COPY_MAX_BYTES, Payload};
use smolcorn_actors::pool::Pooled;

use crate::asgi::exchange::{Exchange, Sent};
use crate::asgi::lent::{LentBody, ReleaseAddress};
use crate::asgi::message::{
    self as http_message, bad_header, each_header, item, optional, payload,
};
use crate::http::response::ResponseHead;
use crate::ws::close;

/// The types of message that a WebSocket knows (ASGI, WebSocket format 2.5, and its extension).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `websocket.accept`
    Accept,
    /// `websocket.send`
    Send,
    /// `websocket.close`
    Close,
    /// `websocket.http.response.start`
    ResponseStart,
    /// `websocket.http.response.body`
    ResponseBody,
    /// Anything else.
    Unknown,
}

impl Kind {
    /// Reads `message["type"]`.
    pub fn of<'py>(message: &Bound<'py, PyAny>) -> PyResult<(Kind, Bound<'py, PyString>)> {
        let text = item(message, intern!(message.py(), "type"))?.cast_into::<PyString>()?;
        let kind = match text.to_str()? {
            "websocket.send" => Kind::Send,
            "websocket.accept" => Kind::Accept,
            "websocket.close" => Kind::Close,
            "websocket.http.response.start" => Kind::ResponseStart,
            "websocket.http.response.body" => Kind::ResponseBody,
            _ => Kind::Unknown,
        };
        Ok((kind, text))
    }
}

/// A message for the peer.
pub enum Data {
    /// UTF-8.
    Text(Payload),
    /// Anything.
    Binary(Payload),
}

/// Reads `websocket.accept`: the headers of the response. Those of the handshake itself are the
/// server's.
pub fn read_accept(message: &Bound<'_, PyAny>) -> PyResult<Pooled<ResponseHead>> {
    const OURS: [&[u8]; 3] = [
        b"upgrade",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
    ];
    let py = message.py();
    let mut head = ResponseHead::switching();
    if let Some(headers) = optional(message, intern!(py, "headers"))?.filter(|h| !h.is_none()) {
        each_header(&headers, |name, value| {
            if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                return Ok(());
            }
            head.push(name, value).map_err(bad_header)
        })?;
    }
    if let Some(subprotocol) =
        optional(message, intern!(py, "subprotocol"))?.filter(|s| !s.is_none())
    {
        let subprotocol = subprotocol.cast_into::<PyString>()?;
        head.push(b"sec-websocket-protocol", subprotocol.to_str()?.as_bytes())
            .map_err(bad_header)?;
    }
    Ok(head)
}

/// Reads `websocket.send`: `bytes`, or else `text`; `None` if it has neither. Large ones are not
/// copied but lent, and go `home` when they are written.
pub fn read_send(message: &Bound<'_, PyAny>, home: &ReleaseAddress) -> PyResult<Option<Data>> {
    let py = message.py();
    if let Some(bytes) = optional(message, intern!(py, "bytes"))?.filter(|b| !b.is_none()) {
        let what = "The bytes of 'websocket.send'";
        return Ok(Some(Data::Binary(payload(bytes, what, home)?)));
    }
    let Some(text) = optional(message, intern!(py, "text"))?.filter(|t| !t.is_none()) else {
        return Ok(None);
    };
    let Ok(text) = text.cast_into::<PyString>() else {
        return Err(PyTypeError::new_err(
            "The text of 'websocket.send' must be a str.",
        ));
    };
    let utf8 = text.to_str()?;
    if utf8.len() <= COPY_MAX_BYTES {
        let copy = Payload::copy_of(utf8.as_bytes());
        return Ok(Some(Data::Text(copy)));
    }
    let lent = LentBody::text(text, home)?;
    Ok(Some(Data::Text(Payload::Lent(Box::new(lent)))))
}

/// Reads `websocket.close`: a code that may be sent, and a reason that has room in a frame.
pub fn read_close(message: &Bound<'_, PyAny>) -> PyResult<(u16, String)> {
    let py = message.py();
    let code = match optional(message, intern!(py, "code"))?.filter(|code| !code.is_none()) {
        Some(code) => code.extract::<i64>()?,
        None => close::NORMAL.into(),
    };
    let code = u16::try_from(code)
        .ok()
        .filter(|code| close::may_be_sent(*code))
        .ok_or_else(|| {
            PyRuntimeError::new_err(format!(
                "Invalid WebSocket close code {code}: it cannot be sent."
            ))
        })?;
    let reason = match optional(message, intern!(py, "reason"))?.filter(|text| !text.is_none()) {
        Some(reason) => close::cut_reason(reason.cast::<PyString>()?.to_str()?).to_owned(),
        None => String::new(),
    };
    Ok((code, reason))
}

/// Reads `websocket.http.response.start`, which is `http.response.start` under another name. There
/// is no message for trailers, so none are waited for.
pub fn read_denial(message: &Bound<'_, PyAny>) -> PyResult<Pooled<ResponseHead>> {
    http_message::read_head(message)
}

/// Takes a message for the exchange that answers a handshake.
pub fn deny(
    exchange: &Bound<'_, Exchange>,
    message: &Bound<'_, PyAny>,
    name: &str,
) -> PyResult<Sent> {
    let (kind, _) = Kind::of(message)?;
    let is_body = kind == Kind::ResponseBody;
    Exchange::accept_body(
        exchange,
        message,
        name,
        is_body,
        "websocket.http.response.body",
    )
}
