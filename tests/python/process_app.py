"""Run as a process: serves one of these applications on the fake core.

python process_app.py NAME [OPTION=JSON ...]
"""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def app(scope: Any, receive: Any, send: Any) -> None:
    print("kept in the buffer of standard output")
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def never_starts(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    say("starting")
    await asyncio.Event().wait()


async def never_stops(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.Event().wait()


async def never_waits(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    say("starting")
    while True:
        time.sleep(3600)


async def blocks_a_thread(scope: Any, receive: Any, send: Any) -> None:
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, threading.Event().wait)
    await app(scope, receive, send)


if __name__ == "__main__":
    # A shell's background job begins with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        import smolcorn  # noqa: F401
    except ImportError:
        sys.path.insert(0, str(HERE.parents[1] / "python"))

    sys.path.insert(0, str(HERE))
    fake_core = importlib.import_module("fake_core")
    fake_core.install()

    from smolcorn import process

    options = dict(argument.split("=", 1) for argument in sys.argv[2:])
    status = process.run(
        fake_core.settings(
            f"process_app:{sys.argv[1]}",
            **{name: json.loads(value) for name, value in options.items()},
        )
    )
    say("run returned")
    sys.exit(status)
