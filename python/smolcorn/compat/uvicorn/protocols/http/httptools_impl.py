"""`uvicorn.protocols.http.httptools_impl`: a name for the built-in engine."""

from smolcorn.compat.uvicorn.protocols.names import ProtocolName


class HttpToolsProtocol(ProtocolName):
    """Means the built-in engine. There is nothing in it to override."""


__all__ = ["HttpToolsProtocol"]
