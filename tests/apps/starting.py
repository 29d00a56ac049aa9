"""Starts when the file named by START_WHEN is there; does then what MODE says."""

import asyncio
import os
from pathlib import Path

from apps.asgi import report_as
from apps.routes import Receive, Routes, Scope, Send
from apps.workers import app as workers_app

START_WHEN = Path(os.environ["START_WHEN"])
PAUSE_SECONDS = 0.01


class Starting(Routes):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        report_as("starting", os.getpid())
        while not START_WHEN.exists():
            await asyncio.sleep(PAUSE_SECONDS)
        scope["state"]["began"] = "in start-up"
        outcome = os.environ.get("MODE", "complete")
        await send({"type": f"lifespan.startup.{outcome}"})
        if outcome == "complete":
            await receive()
            await send({"type": "lifespan.shutdown.complete"})


app = Starting()
app.handlers.update(workers_app.handlers)


@app.route("/state")
async def state(scope: Scope, receive: Receive, send: Send) -> None:
    """What start-up has left for requests, and the body."""
    event = await receive()
    text = scope["state"]["began"].encode() + b": " + event["body"]
    head = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})
