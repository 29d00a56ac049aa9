"""Tells which modules there are. It imports nothing that could be taken for the server's."""

import sys


async def app(scope, receive, send):  # type: ignore[no-untyped-def]
    """The interpreter, and the names of all modules."""
    assert scope["type"] == "http"
    text = "\n".join([sys.executable, *sys.modules])
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": text.encode()})
