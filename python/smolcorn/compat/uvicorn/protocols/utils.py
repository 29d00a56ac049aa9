"""`uvicorn.protocols.utils`."""

from urllib.parse import quote

from smolcorn._core import ClientDisconnected
from smolcorn.types import Scope


def get_client_addr(scope: Scope) -> str:
    """The client as the access log has it."""
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""


def get_path_with_query_string(scope: Scope) -> str:
    """The path as the access log has it."""
    path = quote(scope["path"])
    query = scope["query_string"]
    return f"{path}?{query.decode('ascii')}" if query else path


__all__ = ["ClientDisconnected", "get_client_addr", "get_path_with_query_string"]
