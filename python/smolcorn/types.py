"""Names for the shapes of ASGI (ASGI specification 3.0)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI3Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[Any]]
ASGI2Instance: TypeAlias = Callable[[Receive, Send], Awaitable[Any]]
ASGI2Application: TypeAlias = Callable[[Scope], ASGI2Instance]
