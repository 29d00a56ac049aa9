"""`uvicorn._types`, which is private there and imported all the same."""

from collections.abc import Callable
from typing import Any, TypeAlias

from smolcorn.types import (
    ASGI2Application,
    ASGI3Application,
    Message,
    Receive,
    Scope,
    Send,
)

ASGIReceiveCallable: TypeAlias = Receive
ASGISendCallable: TypeAlias = Send
ASGIReceiveEvent: TypeAlias = Message
ASGISendEvent: TypeAlias = Message
HTTPScope: TypeAlias = Scope
WebSocketScope: TypeAlias = Scope
LifespanScope: TypeAlias = Scope
WWWScope: TypeAlias = Scope
ASGIApplication: TypeAlias = ASGI2Application | ASGI3Application
Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]

__all__ = [
    "ASGI2Application",
    "ASGI3Application",
    "ASGIApplication",
    "ASGIReceiveCallable",
    "ASGIReceiveEvent",
    "ASGISendCallable",
    "ASGISendEvent",
    "Environ",
    "HTTPScope",
    "LifespanScope",
    "Scope",
    "StartResponse",
    "WWWScope",
    "WebSocketScope",
]
