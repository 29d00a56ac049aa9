//! The ASGI extension `tls`: what the application may know of a connection's TLS.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smolcorn_actors::tls::TlsSession;

use crate::tls::{names, pem};

/// The extension's dict for one connection (ASGI TLS extension, 0.2).
pub fn extension(py: Python<'_>, session: &TlsSession) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(py);
    let certificate = pem::certificate(&session.server_certificate);
    dict.set_item(intern!(py, "server_cert"), certificate)?;
    let clients = &session.client_certificates;
    let chain = PyTuple::new(py, clients.iter().map(|der| pem::certificate(der)))?;
    dict.set_item(intern!(py, "client_cert_chain"), chain)?;
    let name = clients.first().and_then(names::subject);
    dict.set_item(intern!(py, "client_cert_name"), name)?;
    // One that cannot be verified ends the handshake.
    dict.set_item(intern!(py, "client_cert_error"), py.None())?;
    dict.set_item(intern!(py, "tls_version"), session.version)?;
    dict.set_item(intern!(py, "cipher_suite"), session.cipher_suite)?;
    Ok(dict.unbind())
}
