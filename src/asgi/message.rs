//! What an application sends, read and checked once, here at the border.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyKeyError, PyOSError, PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyString, PyTuple};
use smolcorn_actors::outbox::{COPY_MAX_BYTES, Payload};
use smolcorn_actors::pool::Pooled;

use super::lent::{LentBody, ReleaseAddress};
use crate::http::field::{self, BadHeader};
use crate::http::response::ResponseHead;

/// The types of message that HTTP knows (ASGI, HTTP format 2.5, and its extensions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `http.response.start`
    Start,
    /// `http.response.body`
    Body,
    /// `http.response.pathsend`
    PathSend,
    /// `http.response.trailers`
    Trailers,
    /// `http.response.early_hint`
    EarlyHint,
    /// `http.response.debug`
    Debug,
    /// Anything else.
    Unknown,
}

impl Kind {
    /// Reads `message["type"]`.
    pub fn of<'py>(message: &Bound<'py, PyAny>) -> PyResult<(Kind, Bound<'py, PyString>)> {
        let text = item(message, intern!(message.py(), "type"))?.cast_into::<PyString>()?;
        let kind = match text.to_str()? {
            "http.response.start" => Kind::Start,
            "http.response.body" => Kind::Body,
            "http.response.pathsend" => Kind::PathSend,
            "http.response.trailers" => Kind::Trailers,
            "http.response.early_hint" => Kind::EarlyHint,
            "http.response.debug" => Kind::Debug,
            _ => Kind::Unknown,
        };
        Ok((kind, text))
    }
}

/// `message[key]`, a `KeyError` when it is missing.
pub(super) fn item<'py>(
    message: &Bound<'py, PyAny>,
    key: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    match message.cast::<PyDict>() {
        Ok(dict) => dict
            .get_item(key)?
            .ok_or_else(|| PyKeyError::new_err(key.clone().unbind())),
        Err(_) => message.get_item(key),
    }
}

/// `message.get(key)`.
pub(super) fn optional<'py>(
    message: &Bound<'py, PyAny>,
    key: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(dict) = message.cast::<PyDict>() {
        return dict.get_item(key);
    }
    match message.get_item(key) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_instance_of::<PyKeyError>(message.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn flag(message: &Bound<'_, PyAny>, key: &Bound<'_, PyString>) -> PyResult<bool> {
    optional(message, key)?.map_or(Ok(false), |value| value.is_truthy())
}

/// Reads `http.response.start`.
pub fn read_start(message: &Bound<'_, PyAny>) -> PyResult<Pooled<ResponseHead>> {
    let mut head = read_head(message)?;
    if flag(message, intern!(message.py(), "trailers"))? {
        head.expect_trailers();
    }
    Ok(head)
}

/// Reads status and headers.
pub fn read_head(message: &Bound<'_, PyAny>) -> PyResult<Pooled<ResponseHead>> {
    let py = message.py();
    let status: i64 = item(message, intern!(py, "status"))?.extract()?;
    let status = u16::try_from(status)
        .ok()
        .filter(|status| (200..=599).contains(status))
        .ok_or_else(|| {
            PyRuntimeError::new_err(format!(
                "Invalid HTTP status code {status}: a response needs one from 200 to 599."
            ))
        })?;
    let mut head = ResponseHead::new(status);
    if let Some(headers) = optional(message, intern!(py, "headers"))? {
        each_header(&headers, |name, value| {
            head.push(name, value).map_err(bad_header)
        })?;
    }
    Ok(head)
}

/// Reads `http.response.body`: the bytes, and whether more follow. Large ones are not copied
/// but lent, and go `home` when they are written.
pub fn read_body(message: &Bound<'_, PyAny>, home: &ReleaseAddress) -> PyResult<(Payload, bool)> {
    let py = message.py();
    let more = flag(message, intern!(py, "more_body"))?;
    let Some(body) = optional(message, intern!(py, "body"))?.filter(|body| !body.is_none()) else {
        return Ok((Payload::empty(), more));
    };
    Ok((payload(body, "The body of a response", home)?, more))
}

/// The bytes of `object`, which is `what` to the user. Large ones are not copied but lent, and go
/// `home` when they are written.
pub(super) fn payload(
    object: Bound<'_, PyAny>,
    what: &str,
    home: &ReleaseAddress,
) -> PyResult<Payload> {
    let object = match object.cast_into::<PyBytes>() {
        Ok(bytes) => {
            let slice = bytes.as_bytes();
            if slice.len() <= COPY_MAX_BYTES {
                return Ok(Payload::copy_of(slice));
            }
            return Ok(Payload::Lent(Box::new(LentBody::bytes(bytes, home))));
        }
        Err(error) => error.into_inner(),
    };
    if let Ok(array) = object.cast::<PyByteArray>() {
        return Ok(Payload::Owned(array.to_vec()));
    }
    if object.is_instance_of::<pyo3::types::PyMemoryView>() {
        // A copy: what a view shows may change while we still write it.
        let bytes = object.py().get_type::<PyBytes>().call1((&object,))?;
        return Ok(Payload::Owned(bytes.cast::<PyBytes>()?.as_bytes().to_vec()));
    }
    Err(PyTypeError::new_err(format!(
        "{what} must be bytes, not {}.",
        object.get_type().name()?
    )))
}

/// Reads `http.response.pathsend` and opens the file.
pub fn read_path_send(message: &Bound<'_, PyAny>) -> PyResult<(File, u64)> {
    let given = item(message, intern!(message.py(), "path"))?;
    let path: PathBuf = given.extract()?;
    let file = open(&path).map_err(|error| os_error(&error, given))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(PyRuntimeError::new_err(format!(
            "'http.response.pathsend' needs a regular file, and {} is none.",
            path.display()
        )));
    }
    Ok((file, metadata.len()))
}

/// As Python's own `open` raises it: with number and file name.
fn os_error(error: &io::Error, path: Bound<'_, PyAny>) -> PyErr {
    let py = path.py();
    let Some(number) = error.raw_os_error() else {
        return PyOSError::new_err(error.to_string());
    };
    let said = py
        .import("os")
        .and_then(|os| os.call_method1("strerror", (number,)))
        .map_or_else(|_| error.to_string(), |said| said.to_string());
    PyOSError::new_err((number, said, path.unbind()))
}

/// Opens a file to read. A FIFO that nobody writes to must not keep the loop waiting.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}

/// Reads `http.response.early_hint`: values for `link` headers.
pub fn read_early_hint(message: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<u8>>> {
    let links = item(message, intern!(message.py(), "links"))?;
    links
        .try_iter()?
        .map(|link| {
            let link = link?;
            let value = link.cast::<PyBytes>()?.as_bytes();
            if !field::is_field_value(value) {
                return Err(bad_header(BadHeader::Value));
            }
            Ok(value.to_vec())
        })
        .collect()
}

/// Reads `http.response.trailers`: header lines, and whether more follow.
pub fn read_trailers(message: &Bound<'_, PyAny>) -> PyResult<(Vec<u8>, bool)> {
    let py = message.py();
    let mut lines = Vec::new();
    if let Some(headers) = optional(message, intern!(py, "headers"))? {
        each_header(&headers, |name, value| {
            field::push_trailer(&mut lines, name, value).map_err(bad_header)
        })?;
    }
    Ok((lines, flag(message, intern!(py, "more_trailers"))?))
}

/// The error for a header that cannot be sent.
pub(crate) fn bad_header(error: BadHeader) -> PyErr {
    PyRuntimeError::new_err(match error {
        BadHeader::Name => "Invalid HTTP header name.",
        BadHeader::Value => "Invalid HTTP header value.",
        BadHeader::ContentLength => "Invalid HTTP header value: content-length.",
    })
}

/// Calls `take` with each name and value of an iterable of two-item iterables of bytes.
pub(super) fn each_header(
    headers: &Bound<'_, PyAny>,
    mut take: impl FnMut(&[u8], &[u8]) -> PyResult<()>,
) -> PyResult<()> {
    if let Ok(list) = headers.cast::<PyList>() {
        for pair in list.iter() {
            one_header(&pair, &mut take)?;
        }
        return Ok(());
    }
    for pair in headers.try_iter()? {
        one_header(&pair?, &mut take)?;
    }
    Ok(())
}

fn one_header(
    pair: &Bound<'_, PyAny>,
    take: &mut impl FnMut(&[u8], &[u8]) -> PyResult<()>,
) -> PyResult<()> {
    if let Ok(tuple) = pair.cast::<PyTuple>()
        && tuple.len() == 2
    {
        let (name, value) = (tuple.get_borrowed_item(0)?, tuple.get_borrowed_item(1)?);
        return name_and_value(&name, &value, take);
    }
    let items: Vec<Bound<'_, PyAny>> = pair.try_iter()?.collect::<PyResult<_>>()?;
    match items.as_slice() {
        [name, value] => name_and_value(name, value, take),
        _ => Err(PyTypeError::new_err(format!(
            "A header is a pair of name and value, not {} items.",
            items.len()
        ))),
    }
}

fn name_and_value(
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    take: &mut impl FnMut(&[u8], &[u8]) -> PyResult<()>,
) -> PyResult<()> {
    if let (Ok(name), Ok(value)) = (name.cast::<PyBytes>(), value.cast::<PyBytes>()) {
        return take(name.as_bytes(), value.as_bytes());
    }
    take(&copied("name", name)?, &copied("value", value)?)
}

/// The bytes of a header's part that may be a `bytearray`.
fn copied(what: &str, part: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(array) = part.cast::<PyByteArray>() {
        return Ok(array.to_vec());
    }
    let bytes = part.cast::<PyBytes>().map_err(|_| not_bytes(what, part))?;
    Ok(bytes.as_bytes().to_vec())
}

fn not_bytes(what: &str, found: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("A header's {what} must be bytes, not {found:?}."))
}
