//! One call of the application: its `start_response`, and what becomes of what it returns.
//!
//! ```text
//!   AwaitStart --start_response--> Held --first bytes--> Open --last bytes--> Done
//! ```
//!
//! The head is *held* until there is a body, or until it is known that there is none, so that a
//! simple answer is one message to the connection and one write. `smolcorn/wsgi.py` makes the call
//! and walks through what it returns: so no frame of ours is below the application when the
//! interpreter ends in the middle of a request.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyAssertionError, PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use smolcorn_actors::outbox::{COPY_MAX_BYTES, Payload, unsent_weight};
use smolcorn_actors::pool::Pooled;

use super::exchange::Exchange;
use super::file::FileWrapper;
use super::service::Service;
use super::start_response::read_head;
use crate::asgi::ClientDisconnected;
use crate::asgi::border::{is_disconnect, plain_head};
use crate::asgi::exchange::{ClientText, LoggedRequest};
use crate::asgi::lent::LentBody;
use crate::http::HttpCommand;
use crate::http::response::ResponseHead;

/// A list of pieces up to this length goes out in one message, bytes.
const JOIN_MAX_BYTES: usize = COPY_MAX_BYTES;

/// One call of the application. Called itself, it is `start_response`.
#[pyclass(frozen, freelist = 64, module = "smolcorn._core")]
pub struct Call {
    service: Arc<Service>,
    exchange: Arc<Exchange>,
    head_only: bool,
    response: Mutex<Response>,
}

struct Response {
    phase: Phase,
    /// What the access log needs, until the response starts.
    request: Option<LoggedRequest>,
    /// Body bytes that the declared content-length still lacks; `None`: none was declared, or no
    /// body goes out.
    missing_bytes: Option<u64>,
}

enum Phase {
    AwaitStart,
    Held(Pooled<ResponseHead>),
    Open,
    Done,
}

impl Call {
    /// A call that has not begun.
    pub fn new(service: Arc<Service>, exchange: Arc<Exchange>, request: LoggedRequest) -> Call {
        Call {
            service,
            exchange,
            head_only: request.head.method() == "HEAD",
            response: Mutex::new(Response {
                phase: Phase::AwaitStart,
                request: Some(request),
                missing_bytes: None,
            }),
        }
    }

    /// Never held while Python runs.
    fn response(&self) -> MutexGuard<'_, Response> {
        self.response.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a piece. Large ones are lent, not copied.
    fn payload(&self, piece: &Bound<'_, PyAny>) -> PyResult<Payload> {
        let bytes = bytes_of(piece)?;
        let slice = bytes.as_bytes();
        if slice.len() <= COPY_MAX_BYTES {
            return Ok(Payload::copy_of(slice));
        }
        let lent = LentBody::bytes(bytes.clone(), &self.service.border.released);
        Ok(Payload::Lent(Box::new(lent)))
    }

    /// Sends a piece that is not empty. Waits while too much is unsent.
    fn send(&self, py: Python<'_>, body: Payload) -> PyResult<()> {
        self.wait_for_credit(py)?;
        let len = body.len() as u64;
        let stream = self.exchange.stream;
        let mut response = self.response();
        if let Some(missing) = &mut response.missing_bytes {
            if len > *missing {
                return Err(PyRuntimeError::new_err(
                    "Response content longer than Content-Length",
                ));
            }
            *missing -= len;
        }
        // With the last of the declared bytes the response is complete, whatever the application
        // still does.
        let end = response.missing_bytes == Some(0);
        let (command, started) = match mem::replace(&mut response.phase, Phase::Done) {
            Phase::AwaitStart => {
                response.phase = Phase::AwaitStart;
                return Err(PyAssertionError::new_err(
                    "write() before start_response() was called.",
                ));
            }
            Phase::Held(head) => {
                let status = head.status();
                let request = response.request.take();
                let command = HttpCommand::Respond {
                    stream,
                    head,
                    body,
                    end,
                };
                (command, request.map(|request| (request, status)))
            }
            // It says nothing, and any number of them would wait for the connection.
            Phase::Open if len == 0 && !end => {
                response.phase = Phase::Open;
                return Ok(());
            }
            Phase::Open => {
                let data = body;
                (HttpCommand::Body { stream, data, end }, None)
            }
            Phase::Done => return Ok(()),
        };
        if !end {
            response.phase = Phase::Open;
            if len > 0 {
                self.exchange.sends(unsent_weight(len));
            }
        }
        drop(response);
        self.log_access(py, started, !end)?;
        self.exchange.command(command);
        if end { self.completed(py) } else { Ok(()) }
    }

    fn wait_for_credit(&self, py: Python<'_>) -> PyResult<()> {
        let high_water = self.service.border.config.write_buffer_max;
        if self.exchange.is_congested(high_water) {
            py.detach(|| self.exchange.wait_for_credit(high_water / 4));
        }
        if self.exchange.is_gone() {
            return Err(ClientDisconnected::new_err(
                "The client has closed the connection.",
            ));
        }
        Ok(())
    }

    /// Answers with everything at once. The head is still held.
    fn send_whole(
        &self,
        py: Python<'_>,
        mut head: Pooled<ResponseHead>,
        body: Payload,
    ) -> PyResult<()> {
        let len = body.len() as u64;
        let bodiless = self.head_only || matches!(head.status(), 204 | 304);
        if head.content_length().is_none() && (!bodiless || (self.head_only && len > 0)) {
            let mut digits = itoa::Buffer::new();
            // A number is a good value.
            let _ = head.push(b"content-length", digits.format(len).as_bytes());
        }
        let short = match head.content_length().filter(|_| !bodiless) {
            Some(declared) if declared < len => {
                self.response().phase = Phase::Held(head);
                return Err(PyRuntimeError::new_err(
                    "Response content longer than Content-Length",
                ));
            }
            declared => declared.is_some_and(|declared| declared > len),
        };
        self.complete(py, head.status())?;
        let stream = self.exchange.stream;
        self.exchange.command(HttpCommand::Respond {
            stream,
            head,
            body,
            end: !short,
        });
        if short {
            return self.fell_short(py);
        }
        self.completed(py)
    }

    /// Says that the body is shorter than was declared, and cuts the connection.
    fn fell_short(&self, py: Python<'_>) -> PyResult<()> {
        self.response().phase = Phase::Done;
        let log = &self.service.border.log;
        log.error(py, "Response content shorter than Content-Length");
        self.abort();
        Ok(())
    }

    /// All of the response is known: nothing more may be said, and it is logged.
    fn complete(&self, py: Python<'_>, status: u16) -> PyResult<()> {
        let started = {
            let mut response = self.response();
            response.phase = Phase::Done;
            let request = response.request.take();
            request.map(|request| (request, status))
        };
        self.log_access(py, started, false)
    }

    /// Writes the access line of a response that starts. One that goes on may do so for long: then
    /// the loop sees to it that the line goes out.
    fn log_access(
        &self,
        py: Python<'_>,
        started: Option<(LoggedRequest, u16)>,
        goes_on: bool,
    ) -> PyResult<()> {
        let border = &self.service.border;
        let Some((request, status)) = started else {
            return Ok(());
        };
        if !border.access.is_enabled() {
            return Ok(());
        }
        let client = match &request.client_text {
            ClientText::Peer => self.exchange.connection.client_text.as_str(),
            ClientText::Forwarded(text) => text,
        };
        border.access.response_started(py, client, &request, status);
        if goes_on { border.arm(py) } else { Ok(()) }
    }

    fn completed(&self, py: Python<'_>) -> PyResult<()> {
        self.service.border.response_completed(py)
    }

    fn abort(&self) {
        self.exchange.command(HttpCommand::Abort {
            stream: self.exchange.stream,
        });
    }

    /// Answers 500 in the application's place. Nothing has gone out. A client that is gone gets no
    /// answer, and so no access line says that it had one.
    fn answer_500(&self, py: Python<'_>) -> PyResult<()> {
        if self.exchange.is_gone() {
            self.abort();
            return Ok(());
        }
        const BODY: &[u8] = b"Internal Server Error";
        let head = plain_head(500, BODY.len(), &[]);
        self.send_whole(py, head, Payload::copy_of(BODY))
    }

    /// Takes the head that is held. Without one: says what the application has forgotten, answers
    /// in its place, and gives `None`; so too where the response has begun.
    fn take_head(&self, py: Python<'_>) -> PyResult<Option<Pooled<ResponseHead>>> {
        let mut response = self.response();
        match mem::replace(&mut response.phase, Phase::Done) {
            Phase::Held(head) => Ok(Some(head)),
            Phase::AwaitStart => {
                drop(response);
                let log = &self.service.border.log;
                log.error(py, "WSGI callable returned without calling start_response.");
                self.answer_500(py)?;
                Ok(None)
            }
            phase => {
                response.phase = phase;
                Ok(None)
            }
        }
    }

    fn begin(
        &self,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyTuple>>,
    ) -> PyResult<()> {
        let py = status.py();
        let has_begun = {
            let response = self.response();
            match (&response.phase, exc_info) {
                (Phase::AwaitStart, _) | (Phase::Held(_), Some(_)) => false,
                (Phase::Held(_), None) => {
                    return Err(PyAssertionError::new_err(
                        "start_response() was called a second time without exc_info.",
                    ));
                }
                (Phase::Open | Phase::Done, _) => true,
            }
        };
        if has_begun {
            return Err(match exc_info {
                Some(info) => raised_in(py, info)?,
                None => PyAssertionError::new_err(
                    "start_response() was called after the response had begun.",
                ),
            });
        }
        let head = read_head(status, headers)?;
        let mut response = self.response();
        // Where no body goes out none is counted: frameworks send one with a 204 or 304.
        response.missing_bytes = if self.head_only || matches!(head.status(), 204 | 304) {
            None
        } else {
            head.content_length()
        };
        response.phase = Phase::Held(head);
        Ok(())
    }
}

/// A piece of a body; anything but bytes is the application's mistake.
fn bytes_of<'a, 'py>(piece: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    match piece.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(PyTypeError::new_err(format!(
            "The body of a response must be bytes, not {}.",
            piece.get_type().name()?
        ))),
    }
}

/// The exception in an `exc_info`, with its traceback.
fn raised_in(py: Python<'_>, info: &Bound<'_, PyTuple>) -> PyResult<PyErr> {
    let (value, traceback) = (info.get_item(1)?, info.get_item(2)?);
    let value = value.call_method1(intern!(py, "with_traceback"), (traceback,))?;
    Ok(PyErr::from_value(value))
}

#[pymethods]
impl Call {
    /// `start_response(status, response_headers, exc_info=None)`; returns `write`. By position says
    /// PEP 3333, which has these names, too: middleware takes them at their word.
    #[pyo3(signature = (status, response_headers, exc_info=None))]
    fn __call__(
        slf: &Bound<'_, Self>,
        status: &Bound<'_, PyAny>,
        response_headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyTuple>>,
    ) -> PyResult<Writer> {
        slf.get().begin(status, response_headers, exc_info)?;
        Ok(Writer {
            call: slf.clone().unbind(),
        })
    }

    /// Answers with what the application has returned, if that is a list or tuple: its length is
    /// known then, and there is nothing to close. Says whether it was.
    fn respond(&self, result: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = result.py();
        let pieces: Vec<Bound<'_, PyAny>> = if let Ok(list) = result.cast_exact::<PyList>() {
            if list.len() == 1 {
                return self.respond_with(py, &list.get_item(0)?);
            }
            list.iter().collect()
        } else if let Ok(tuple) = result.cast_exact::<PyTuple>() {
            tuple.iter().collect()
        } else {
            return Ok(false);
        };
        let mut joined = Vec::new();
        for piece in &pieces {
            let bytes = bytes_of(piece)?.as_bytes();
            if joined.len() + bytes.len() > JOIN_MAX_BYTES {
                return self.respond_in_pieces(py, &pieces);
            }
            joined.extend_from_slice(bytes);
        }
        let body = PyBytes::new(py, &joined).into_any();
        self.respond_with(py, &body)
    }

    /// Sends a piece of the body. An empty one says nothing.
    fn write(&self, piece: &Bound<'_, PyAny>) -> PyResult<()> {
        let body = self.payload(piece)?;
        if body.is_empty() {
            return Ok(());
        }
        self.send(piece.py(), body)
    }

    /// Ends the response: nothing comes any more.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(head) = self.take_head(py)? {
            return self.send_whole(py, head, Payload::empty());
        }
        let mut response = self.response();
        let Phase::Open = response.phase else {
            return Ok(());
        };
        if response.missing_bytes.is_some_and(|missing| missing > 0) {
            drop(response);
            return self.fell_short(py);
        }
        response.phase = Phase::Done;
        drop(response);
        self.exchange.command(HttpCommand::Body {
            stream: self.exchange.stream,
            data: Payload::empty(),
            end: true,
        });
        self.completed(py)
    }

    /// Sends a file by the kernel's own copy, where that can be done.
    fn send_file(&self, file: &Bound<'_, FileWrapper>) -> PyResult<bool> {
        let py = file.py();
        if !matches!(self.response().phase, Phase::Held(_)) {
            return Ok(false);
        }
        let Some((file, file_bytes)) = file.get().regular_file(py) else {
            return Ok(false);
        };
        let Some(mut head) = self.take_head(py)? else {
            return Ok(true);
        };
        let bodiless = self.head_only || matches!(head.status(), 204 | 304);
        let len_bytes = head.content_length().unwrap_or(file_bytes);
        if bodiless || len_bytes > file_bytes || len_bytes == 0 {
            // The ordinary way knows what is to be said of these.
            self.response().phase = Phase::Held(head);
            return Ok(false);
        }
        if head.content_length().is_none() {
            let mut digits = itoa::Buffer::new();
            let _ = head.push(b"content-length", digits.format(len_bytes).as_bytes());
        }
        self.complete(py, head.status())?;
        let stream = self.exchange.stream;
        self.exchange.command(HttpCommand::Respond {
            stream,
            head,
            body: Payload::empty(),
            end: false,
        });
        self.exchange.command(HttpCommand::File {
            stream,
            file,
            len_bytes,
        });
        self.completed(py)?;
        Ok(true)
    }

    /// The application has raised: the best that can still be done for its client.
    fn fail(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = error.py();
        let is_disconnect = is_disconnect(error);
        if !is_disconnect {
            let error = PyErr::from_value(error.clone());
            let log = &self.service.border.log;
            log.exception(py, "Exception in WSGI application\n", &error);
        }
        let phase = mem::replace(&mut self.response().phase, Phase::Done);
        match phase {
            // It has ended its request in the middle, and the application has given up for that.
            Phase::AwaitStart | Phase::Held(_) if is_disconnect && self.exchange.is_cut_short() => {
                self.abort();
                Ok(())
            }
            Phase::AwaitStart | Phase::Held(_) => self.answer_500(py),
            Phase::Open => {
                self.abort();
                Ok(())
            }
            Phase::Done => {
                self.exchange.command(HttpCommand::Retire);
                Ok(())
            }
        }
    }
}

impl Call {
    /// Answers with one piece that is the whole body, unless the application has written before.
    fn respond_with(&self, py: Python<'_>, body: &Bound<'_, PyAny>) -> PyResult<bool> {
        let payload = self.payload(body)?;
        match self.take_head(py)? {
            Some(head) => self.send_whole(py, head, payload)?,
            None => {
                if !payload.is_empty() && matches!(self.response().phase, Phase::Open) {
                    self.send(py, payload)?;
                }
                self.finish(py)?;
            }
        }
        Ok(true)
    }

    /// Answers with pieces that are too much for one message.
    fn respond_in_pieces(&self, py: Python<'_>, pieces: &[Bound<'_, PyAny>]) -> PyResult<bool> {
        let mut len = 0;
        for piece in pieces {
            len += bytes_of(piece)?.as_bytes().len();
        }
        {
            let mut response = self.response();
            let head_only = self.head_only;
            if let Response {
                phase: Phase::Held(head),
                missing_bytes,
                ..
            } = &mut *response
                && head.content_length().is_none()
                && !matches!(head.status(), 204 | 304)
            {
                let mut digits = itoa::Buffer::new();
                let _ = head.push(b"content-length", digits.format(len).as_bytes());
                *missing_bytes = (!head_only).then_some(len as u64);
            }
        }
        for piece in pieces {
            self.write(piece)?;
        }
        self.finish(py)?;
        Ok(true)
    }
}

/// What `start_response` returns: `write(bytes)`.
#[pyclass(frozen, freelist = 64, module = "smolcorn._core")]
pub struct Writer {
    call: Py<Call>,
}

#[pymethods]
impl Writer {
    #[pyo3(signature = (data, /))]
    fn __call__(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        self.call.get().write(data)
    }
}
