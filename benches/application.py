"""What an application costs by itself: the part of a request's CPU time that no server can save.

    build/py3.13/bench/bin/python benches/application.py fastapi_app:app

Each call gets a fresh scope as a server would build it, a `receive` and a `send` that do nothing,
and an eager task where Python has them. No socket, no HTTP.
"""

import argparse
import asyncio
import gc
import importlib
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 50000),
    "scheme": "http",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1:8000")],
    "state": {},
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "extensions": {},
}


async def receive() -> dict[str, Any]:
    """An empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: dict[str, Any]) -> None:
    """Takes everything."""


async def measure(app: Any, calls: int) -> float:
    """CPU seconds of one call."""
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = (
        {"eager_start": True} if sys.version_info >= (3, 12) else {}
    )
    begin = time.process_time()
    for _ in range(calls):
        task = asyncio.Task(app(SCOPE.copy(), receive, send), loop=loop, **options)
        if not task.done():
            await task
    return (time.process_time() - begin) / calls


async def run(app: Any, calls: int, rounds: int) -> list[float]:
    """Some rounds after one that is not counted."""
    await measure(app, calls)
    gc.freeze()
    return [await measure(app, calls) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("application", help="module:attribute, from benches/apps")
    parser.add_argument("--calls", type=int, default=5000, help="in each round")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).with_name("apps")))
    module, _, attribute = arguments.application.partition(":")
    app = getattr(importlib.import_module(module), attribute or "app")
    seconds = uvloop.run(run(app, arguments.calls, arguments.rounds))
    low, median, high = min(seconds), statistics.median(seconds), max(seconds)
    print(
        f"{arguments.application}: {median * 1e6:.1f} us of CPU a call"
        f" ({low * 1e6:.1f} to {high * 1e6:.1f})"
    )


if __name__ == "__main__":
    main()
