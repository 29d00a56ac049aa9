"""Logs every ASGI message. Used only while the server's log level is TRACE."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from smolcorn.logging import TRACE_LOG_LEVEL

if TYPE_CHECKING:
    from smolcorn.types import ASGI3Application, Message, Receive, Scope, Send

_logger = logging.getLogger("uvicorn.asgi")


def is_wanted() -> bool:
    """True if the server's own logger shows TRACE."""
    return logging.getLogger("uvicorn.error").getEffectiveLevel() <= TRACE_LOG_LEVEL


class MessageLoggerMiddleware:
    """Logs the scope, the messages and the end of each call of an application."""

    def __init__(self, app: ASGI3Application) -> None:
        self.app = app
        self._calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        self._calls += 1
        client = scope.get("client")
        address = f"{client[0]}:{client[1]} - " if client else ""
        prefix = f"{address}ASGI [{self._calls}]"

        def log(text: str, *args: object) -> None:
            _logger.log(TRACE_LOG_LEVEL, f"%s {text}", prefix, *args)

        async def logged_receive() -> Message:
            message = await receive()
            log("Receive %s", _without_payload(message))
            return message

        async def logged_send(message: Message) -> None:
            log("Send %s", _without_payload(message))
            await send(message)

        log("Started scope=%s", _without_payload(scope))
        try:
            result = await self.app(scope, logged_receive, logged_send)
        except BaseException:
            log("Raised exception")
            raise
        log("Completed")
        return result


_PLACEHOLDERS = {
    "headers": "<...>",
    "body": "<{length} bytes>",
    "bytes": "<{length} bytes>",
    "text": "<{length} chars>",
}


def _without_payload(message: Message) -> dict[str, Any]:
    """A copy of the message with what may be long, or secret, left out."""
    shown = dict(message)
    for key, placeholder in _PLACEHOLDERS.items():
        if (value := shown.get(key)) is not None:
            length = len(value) if hasattr(value, "__len__") else "?"
            shown[key] = placeholder.format(length=length)
    return shown
