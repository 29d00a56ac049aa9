//! What an application says by `start_response(status, headers)`, read and checked once
//! (PEP 3333, "The start_response() Callable").

use std::borrow::Cow;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use smolcorn_actors::pool::Pooled;

use crate::asgi::message::bad_header;
use crate::http::response::ResponseHead;

/// Headers about the connection (RFC 9110, section 7.6.1), which is the server's: they are
/// dropped. `connection` and `transfer-encoding` are `ResponseHead`'s own business.
const HOP_BY_HOP: [&[u8]; 7] = [
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"trailers",
    b"upgrade",
];

/// Makes the head of a response.
///
/// # Errors
/// `TypeError` for what is no text, list or pair; `ValueError` for a status or a header that
/// cannot be sent.
pub fn read_head(
    status: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
) -> PyResult<Pooled<ResponseHead>> {
    let mut head = ResponseHead::new(read_status(status)?);
    let list = headers.cast::<PyList>().map_err(|_| {
        PyTypeError::new_err(format!("The headers must be a list, not {headers:?}."))
    })?;
    for pair in list.iter() {
        let pair = pair
            .cast::<PyTuple>()
            .ok()
            .filter(|pair| pair.len() == 2)
            .ok_or_else(|| {
                PyTypeError::new_err(format!(
                    "A header must be a tuple of name and value, not {pair:?}."
                ))
            })?;
        let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
        let name = text(&name, "name")?;
        let value = text(&value, "value")?;
        let (name, value) = (latin1(name)?, latin1(value)?);
        if !is_hop_by_hop(&name) {
            head.push(&name, &value).map_err(|error| {
                let error = bad_header(error).value(pair.py()).to_string();
                PyValueError::new_err(error)
            })?;
        }
    }
    Ok(head)
}

/// The number in `200 OK`. The reason is not for clients (RFC 9112, section 4), and the server's
/// own goes out.
fn read_status(status: &Bound<'_, PyAny>) -> PyResult<u16> {
    let status = status
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err(format!("The status must be a str, not {status:?}.")))?;
    let text = status.to_str()?;
    let (digits, reason) = match text.split_once(' ') {
        Some((digits, reason)) => (digits, reason),
        None => (text, ""),
    };
    let is_number = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| digits.parse::<u16>().ok()).flatten();
    match number {
        Some(number @ 200..=599) if !reason.contains(['\r', '\n']) => Ok(number),
        _ => Err(PyValueError::new_err(format!(
            "Invalid HTTP status {text:?}: a response needs three digits from 200 to 599, and a \
             reason."
        ))),
    }
}

fn text<'a, 'py>(object: &'a Bound<'py, PyAny>, what: &str) -> PyResult<&'a Bound<'py, PyString>> {
    object.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!("A header's {what} must be a str, not {object:?}."))
    })
}

/// A native string of WSGI is bytes, one in each character.
fn latin1<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    let text = text.to_str()?;
    if text.is_ascii() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    bytes.map(Cow::Owned).ok_or_else(|| {
        PyValueError::new_err(format!("Invalid HTTP header: {text:?} is not Latin-1."))
    })
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|one| one.eq_ignore_ascii_case(name))
}
