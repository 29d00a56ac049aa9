//! The ASGI extension `tls`: what the application may know of a connection's TLS.

use std::collections::VecDeque;

use futures_rustls::pki_types::CertificateDer;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smolcorn_actors::tls::TlsSession;

use crate::tls::{names, pem};

/// Of so many certificates of the server's own the text is kept.
const TEXTS_KEPT: usize = 8;

/// Makes the extension's dicts. The text of a certificate that was shown before is shared.
#[derive(Default)]
pub struct TlsExtension {
    texts: VecDeque<(CertificateDer<'static>, Py<PyString>)>,
}

impl TlsExtension {
    /// The dict for one connection (ASGI TLS extension, 0.2).
    pub fn make(&mut self, py: Python<'_>, session: &TlsSession) -> PyResult<Py<PyDict>> {
        let dict = PyDict::new(py);
        let certificate = self.server_certificate(py, &session.server_certificate);
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

    fn server_certificate(
        &mut self,
        py: Python<'_>,
        certificate: &CertificateDer<'static>,
    ) -> Py<PyString> {
        if let Some((_, text)) = self.texts.iter().find(|(known, _)| known == certificate) {
            return text.clone_ref(py);
        }
        let text = PyString::new(py, &pem::certificate(certificate)).unbind();
        self.texts.truncate(TEXTS_KEPT - 1);
        self.texts
            .push_front((certificate.clone(), text.clone_ref(py)));
        text
    }
}
