"""`uvicorn.protocols.http.auto`: a name for the built-in engine."""

from smolcorn.compat.uvicorn.protocols.names import ProtocolName


class AutoHTTPProtocol(ProtocolName):
    """Means the built-in engine. There is nothing in it to override."""


__all__ = ["AutoHTTPProtocol"]
