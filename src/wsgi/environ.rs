//! A request's head as a WSGI environ (PEP 3333).
//!
//! Keys and constant values are made once; the dict is fresh for each request, because
//! applications change it. Texts are *native strings*: bytes of the wire, one in each character.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::connection::Connection;
use super::file::FileWrapper;
use super::input::Input;
use crate::asgi::border::Border;
use crate::asgi::header_names::NameTable;
use crate::asgi::methods::Methods;
use crate::http::head::{RequestHead, Version};
use crate::percent::decode_bytes;
use crate::proxy::{Scheme, client_text};

/// What applications are told of the server.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Other threads call the same application.
    pub multithread: bool,
    /// Other processes do.
    pub multiprocess: bool,
}

/// What makes environs: everything that is the same for all requests.
pub struct EnvironMaker {
    /// The constant values.
    template: Py<PyDict>,
    keys: NameTable<Py<PyString>>,
    methods: Methods,
}

/// An environ, and the client as a proxy named it.
pub struct Environ<'py> {
    /// The dict for the application.
    pub dict: Bound<'py, PyDict>,
    /// `ip:port` for the access log when a trusted proxy named another client.
    pub forwarded_client: Option<String>,
}

impl EnvironMaker {
    /// Prepares what all environs share.
    pub fn new(py: Python<'_>, root_path: &str, around: Surroundings) -> PyResult<EnvironMaker> {
        let template = PyDict::new(py);
        let script_name = native(py, root_path.trim_end_matches('/').as_bytes());
        let errors = py.import("sys")?.getattr("stderr")?;
        let set = |key: &str, value: Bound<'_, PyAny>| {
            template.set_item(PyString::intern(py, key), value)
        };
        set("SCRIPT_NAME", script_name.into_any())?;
        set("SERVER_SOFTWARE", PyString::new(py, "smolcorn").into_any())?;
        set("SERVER_PROTOCOL", PyString::new(py, "HTTP/1.1").into_any())?;
        set("wsgi.version", PyTuple::new(py, [1, 0])?.into_any())?;
        set("wsgi.url_scheme", PyString::intern(py, "http").into_any())?;
        // That of requests without a body, all the same.
        set("wsgi.input", Bound::new(py, Input::new(None))?.into_any())?;
        set("wsgi.errors", errors)?;
        let flag = |value: bool| {
            value
                .into_pyobject(py)
                .map(|value| value.to_owned().into_any())
        };
        set("wsgi.multithread", flag(around.multithread)?)?;
        set("wsgi.multiprocess", flag(around.multiprocess)?)?;
        set("wsgi.run_once", flag(false)?)?;
        // The input ends where the body does, whatever says how long it is.
        set("wsgi.input_terminated", flag(true)?)?;
        set("wsgi.file_wrapper", py.get_type::<FileWrapper>().into_any())?;
        Ok(EnvironMaker {
            template: template.unbind(),
            keys: NameTable::new(|name| PyString::intern(py, &key_of(name)).unbind()),
            methods: Methods::new(py),
        })
    }

    /// Makes the environ of one request. `input` is its body; `None`: it has none.
    pub fn make<'py>(
        &self,
        py: Python<'py>,
        border: &Border,
        connection: &Connection,
        head: &RequestHead,
        input: Option<Input>,
    ) -> PyResult<Environ<'py>> {
        let dict = self.template.bind(py).copy()?;
        dict.set_item(
            intern!(py, "REQUEST_METHOD"),
            self.methods.get(py, head.method()),
        )?;
        let path = decode_bytes(head.path());
        dict.set_item(intern!(py, "PATH_INFO"), native(py, &path))?;
        dict.set_item(intern!(py, "QUERY_STRING"), native(py, head.query()))?;
        dict.set_item(intern!(py, "RAW_URI"), raw_uri(py, head))?;
        if head.version() == Version::Http10 {
            dict.set_item(intern!(py, "SERVER_PROTOCOL"), intern!(py, "HTTP/1.0"))?;
        }
        let forwarded = border.scopes.forwarded(connection.peer, head);
        let is_secure = match forwarded.scheme {
            Some(scheme) => matches!(scheme, Scheme::Https | Scheme::Wss),
            None => connection.is_secure(),
        };
        if is_secure {
            dict.set_item(intern!(py, "wsgi.url_scheme"), intern!(py, "https"))?;
        }
        self.set_ends(&dict, connection, is_secure)?;
        let forwarded_client = match forwarded.client {
            Some((host, port)) => {
                set_client(&dict, &host, Some(port))?;
                Some(client_text(&host, port))
            }
            None => {
                let host = connection.peer.map(|ip| ip.to_string());
                set_client(&dict, &host.unwrap_or_default(), connection.peer_port)?;
                None
            }
        };
        self.set_headers(&dict, head)?;
        if let Some(input) = input {
            dict.set_item(intern!(py, "wsgi.input"), Py::new(py, input)?)?;
        }
        Ok(Environ {
            dict,
            forwarded_client,
        })
    }

    /// Our own end of the connection.
    fn set_ends(
        &self,
        dict: &Bound<'_, PyDict>,
        connection: &Connection,
        is_secure: bool,
    ) -> PyResult<()> {
        let py = dict.py();
        dict.set_item(intern!(py, "SERVER_NAME"), connection.server_name.as_str())?;
        // Never empty, says PEP 3333; a Unix socket has none, and the scheme's is what it means.
        let port = connection
            .server_port
            .unwrap_or(if is_secure { 443 } else { 80 });
        dict.set_item(intern!(py, "SERVER_PORT"), itoa::Buffer::new().format(port))
    }

    /// Names with an underscore are left out: `x_user` would be read as `x-user`, which a proxy in
    /// front may vouch for. Of a repeated header the values are joined.
    fn set_headers(&self, dict: &Bound<'_, PyDict>, head: &RequestHead) -> PyResult<()> {
        let py = dict.py();
        for (name, value) in head.headers() {
            let key = match self.keys.find(name) {
                Some(key) => key.bind(py).clone(),
                None if name.contains(&b'_') => continue,
                None => PyString::new(py, &key_of(name)),
            };
            let text = native(py, value);
            let text = match dict.get_item(&key)? {
                // It has one value by its nature: the last one counts.
                Some(_) if name == b"content-type" => text,
                Some(before) => {
                    let separator = if name == b"cookie" { "; " } else { "," };
                    let before = before.cast_into::<PyString>()?;
                    let joined = format!("{}{separator}{}", before.to_str()?, text.to_str()?);
                    PyString::new(py, &joined)
                }
                None => text,
            };
            dict.set_item(key, text)?;
        }
        Ok(())
    }
}

fn set_client(dict: &Bound<'_, PyDict>, host: &str, port: Option<u16>) -> PyResult<()> {
    let py = dict.py();
    dict.set_item(intern!(py, "REMOTE_ADDR"), host)?;
    if let Some(port) = port {
        dict.set_item(intern!(py, "REMOTE_PORT"), itoa::Buffer::new().format(port))?;
    }
    Ok(())
}

/// The key for a header's lower-case name (RFC 3875, section 4.1.18).
fn key_of(name: &[u8]) -> String {
    let mut key = match name {
        b"content-type" | b"content-length" => String::new(),
        _ => "HTTP_".to_owned(),
    };
    key.extend(name.iter().map(|byte| match byte {
        b'-' => '_',
        byte => char::from(byte.to_ascii_uppercase()),
    }));
    key
}

/// Path and query as they were sent.
fn raw_uri<'py>(py: Python<'py>, head: &RequestHead) -> Bound<'py, PyString> {
    if head.query().is_empty() {
        return native(py, head.path());
    }
    let uri = [head.path(), b"?", head.query()].concat();
    native(py, &uri)
}

/// Bytes as a native string.
fn native<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => {
            let text: String = bytes.iter().copied().map(char::from).collect();
            PyString::new(py, &text)
        }
    }
}
