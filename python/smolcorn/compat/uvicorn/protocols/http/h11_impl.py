"""`uvicorn.protocols.http.h11_impl`: a name for the built-in engine."""

from smolcorn.compat.uvicorn.protocols.names import ProtocolName


class H11Protocol(ProtocolName):
    """Means the built-in engine. There is nothing in it to override."""


__all__ = ["H11Protocol"]
