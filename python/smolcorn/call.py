"""The wrapper for applications that are not coroutine functions."""

from __future__ import annotations

from typing import Any

from smolcorn.types import ASGI3Application, Receive, Scope, Send


async def call_app(
    app: ASGI3Application, scope: Scope, receive: Receive, send: Send
) -> Any:
    """Calls `app` and awaits what it returns, all of it inside the request's own task.

    The synchronous part of such an application then has the right current task and
    context, and what it raises is the request's error.
    """
    return await app(scope, receive, send)
