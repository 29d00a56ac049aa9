//! A request's head as an ASGI scope (HTTP connection scope, spec 2.5).
//!
//! Keys and constant values are made once; the dicts are fresh for each request, because
//! applications change them.

use std::net::IpAddr;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::connection::{ConnectionRecord, client_tuple};
use super::header_names::HeaderNames;
use super::methods::Methods;
use crate::http::Handshake;
use crate::http::head::{RequestHead, Version};
use crate::percent::decode_path;
use crate::proxy::{Forwarded, Scheme, TrustList, client_text};

/// What makes scopes: everything that is the same for all requests.
pub struct ScopeMaker {
    /// All keys in their order, with the values that rarely change.
    template: Py<PyDict>,
    /// The same for a WebSocket.
    websocket: Py<PyDict>,
    asgi: Py<PyDict>,
    names: HeaderNames,
    methods: Methods,
    root_path: String,
    /// The lifespan's state, of which each request gets a copy.
    state: Option<Py<PyDict>>,
    /// Whom to believe about forwarded clients; `None`: nobody (`--no-proxy-headers`).
    trust: Option<TrustList>,
}

/// A scope, and the client as a proxy named it.
pub struct Scope<'py> {
    /// The dict for the application.
    pub dict: Bound<'py, PyDict>,
    /// `ip:port` for the access log when a trusted proxy named another client.
    pub forwarded_client: Option<String>,
}

impl ScopeMaker {
    /// Prepares what all scopes share. `asgi_version` is 3.0, or 2.0 for an application of two
    /// steps.
    pub fn new(
        py: Python<'_>,
        asgi_version: &str,
        root_path: &str,
        state: Option<Py<PyDict>>,
        trust: Option<TrustList>,
    ) -> PyResult<ScopeMaker> {
        let asgi = PyDict::new(py);
        asgi.set_item("version", asgi_version)?;
        asgi.set_item("spec_version", "2.5")?;
        let template = PyDict::new(py);
        set_common_keys(&template, "http", "http", root_path)?;
        for key in ["headers", "state", "method", "path", "raw_path"] {
            template.set_item(PyString::intern(py, key), py.None())?;
        }
        template.set_item(intern!(py, "query_string"), PyBytes::new(py, b""))?;
        template.set_item(intern!(py, "extensions"), py.None())?;
        let websocket = PyDict::new(py);
        set_common_keys(&websocket, "websocket", "ws", root_path)?;
        for key in ["path", "raw_path"] {
            websocket.set_item(PyString::intern(py, key), py.None())?;
        }
        websocket.set_item(intern!(py, "query_string"), PyBytes::new(py, b""))?;
        for key in ["headers", "subprotocols", "state", "extensions"] {
            websocket.set_item(PyString::intern(py, key), py.None())?;
        }
        Ok(ScopeMaker {
            template: template.unbind(),
            websocket: websocket.unbind(),
            asgi: asgi.unbind(),
            names: HeaderNames::new(py),
            methods: Methods::new(py),
            root_path: root_path.to_owned(),
            state,
            trust,
        })
    }

    /// Makes the scope of one request.
    pub fn make<'py>(
        &self,
        py: Python<'py>,
        connection: &ConnectionRecord,
        head: &RequestHead,
    ) -> PyResult<Scope<'py>> {
        let dict = self.template.bind(py).copy()?;
        if head.version() == Version::Http10 {
            dict.set_item(intern!(py, "http_version"), intern!(py, "1.0"))?;
        }
        let (forwarded_client, scheme) = self.fill(&dict, connection, head)?;
        if let Some(scheme) = scheme {
            dict.set_item(intern!(py, "scheme"), PyString::intern(py, scheme.as_str()))?;
        }
        dict.set_item(intern!(py, "method"), self.methods.get(py, head.method()))?;
        let extensions = extensions(py, head.version())?;
        add_tls(&extensions, connection)?;
        dict.set_item(intern!(py, "extensions"), extensions)?;
        Ok(Scope {
            dict,
            forwarded_client,
        })
    }

    /// Makes the scope of a WebSocket.
    pub fn make_websocket<'py>(
        &self,
        py: Python<'py>,
        connection: &ConnectionRecord,
        handshake: &Handshake,
    ) -> PyResult<Scope<'py>> {
        let dict = self.websocket.bind(py).copy()?;
        let (forwarded_client, scheme) = self.fill(&dict, connection, &handshake.head)?;
        if let Some(scheme) = scheme {
            let scheme = scheme.for_websocket().as_str();
            dict.set_item(intern!(py, "scheme"), PyString::intern(py, scheme))?;
        }
        let subprotocols = PyList::new(py, &handshake.subprotocols)?;
        dict.set_item(intern!(py, "subprotocols"), subprotocols)?;
        let extensions = PyDict::new(py);
        extensions.set_item(intern!(py, "websocket.http.response"), PyDict::new(py))?;
        add_tls(&extensions, connection)?;
        dict.set_item(intern!(py, "extensions"), extensions)?;
        Ok(Scope {
            dict,
            forwarded_client,
        })
    }

    /// Sets what both kinds of scope have. Says who the client is by the word of a trusted proxy,
    /// and which scheme it used, if that is not plain HTTP.
    fn fill(
        &self,
        dict: &Bound<'_, PyDict>,
        connection: &ConnectionRecord,
        head: &RequestHead,
    ) -> PyResult<(Option<String>, Option<Scheme>)> {
        let py = dict.py();
        dict.set_item(intern!(py, "asgi"), self.asgi.bind(py).copy()?)?;
        dict.set_item(intern!(py, "server"), connection.server.bind(py))?;
        let forwarded = self.forwarded(connection.peer, head);
        let forwarded_client = match forwarded.client {
            Some((host, port)) => {
                let client = client_tuple(py, &host, port)?;
                dict.set_item(intern!(py, "client"), client)?;
                Some(client_text(&host, port))
            }
            None => {
                dict.set_item(intern!(py, "client"), connection.client.bind(py))?;
                None
            }
        };
        dict.set_item(intern!(py, "headers"), self.headers(py, head)?)?;
        let state = match &self.state {
            Some(state) => state.bind(py).copy()?,
            None => PyDict::new(py),
        };
        dict.set_item(intern!(py, "state"), state)?;
        self.set_path(py, dict, head)?;
        if !head.query().is_empty() {
            dict.set_item(intern!(py, "query_string"), PyBytes::new(py, head.query()))?;
        }
        let scheme = match (forwarded.scheme, connection.tls.get()) {
            (None, Some(_)) => Some(Scheme::Https),
            (scheme, _) => scheme,
        };
        Ok((forwarded_client, scheme))
    }

    /// What a peer that is trusted says about the client.
    pub fn forwarded(&self, peer: Option<IpAddr>, head: &RequestHead) -> Forwarded {
        match &self.trust {
            Some(trust) => trust.forwarded(head.headers(), peer),
            None => Forwarded::default(),
        }
    }

    fn headers<'py>(&self, py: Python<'py>, head: &RequestHead) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (name, value) in head.headers() {
            list.append((self.names.get(py, name), PyBytes::new(py, value)))?;
        }
        Ok(list)
    }

    /// `path` and `raw_path`, both behind the root path.
    fn set_path(
        &self,
        py: Python<'_>,
        dict: &Bound<'_, PyDict>,
        head: &RequestHead,
    ) -> PyResult<()> {
        let decoded = decode_path(head.path());
        if self.root_path.is_empty() {
            dict.set_item(intern!(py, "path"), PyString::new(py, &decoded))?;
            dict.set_item(intern!(py, "raw_path"), PyBytes::new(py, head.path()))?;
        } else {
            let path = format!("{}{decoded}", self.root_path);
            dict.set_item(intern!(py, "path"), path)?;
            let mut raw = self.root_path.as_bytes().to_vec();
            raw.extend_from_slice(head.path());
            dict.set_item(intern!(py, "raw_path"), PyBytes::new(py, &raw))?;
        }
        Ok(())
    }
}

/// Sets the keys that every scope begins with.
fn set_common_keys(
    template: &Bound<'_, PyDict>,
    kind: &str,
    scheme: &str,
    root_path: &str,
) -> PyResult<()> {
    let py = template.py();
    template.set_item(intern!(py, "type"), PyString::intern(py, kind))?;
    template.set_item(intern!(py, "asgi"), py.None())?;
    template.set_item(intern!(py, "http_version"), intern!(py, "1.1"))?;
    template.set_item(intern!(py, "server"), py.None())?;
    template.set_item(intern!(py, "client"), py.None())?;
    template.set_item(intern!(py, "scheme"), PyString::intern(py, scheme))?;
    template.set_item(intern!(py, "root_path"), PyString::new(py, root_path))
}

/// Adds the extension `tls` where the connection is encrypted.
fn add_tls(extensions: &Bound<'_, PyDict>, connection: &ConnectionRecord) -> PyResult<()> {
    let py = extensions.py();
    match connection.tls.get() {
        Some(tls) => extensions.set_item(intern!(py, "tls"), tls.bind(py).copy()?),
        None => Ok(()),
    }
}

/// The extensions that this version of HTTP can carry.
fn extensions(py: Python<'_>, version: Version) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "http.response.pathsend"), PyDict::new(py))?;
    dict.set_item(intern!(py, "http.response.debug"), PyDict::new(py))?;
    if version == Version::Http11 {
        dict.set_item(intern!(py, "http.response.early_hint"), PyDict::new(py))?;
        dict.set_item(intern!(py, "http.response.trailers"), PyDict::new(py))?;
    }
    Ok(dict)
}
