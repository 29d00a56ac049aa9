"""For `--preload`: says in which process it was imported, and shares a large object.

What it is besides is named by MODE: it starts a thread, or changes the collector, while it is
imported. Code that is read anew at each import is in the file CODE.
"""

import asyncio
import gc
import json
import os
import random
import signal
import threading
from pathlib import Path

from apps.asgi import answer, report_as
from apps.routes import Receive, Scope, Send
from apps.workers import app

__all__ = ["app"]

IMPORTED_BY = os.getpid()
SHARED = b"x" * (64 * 1024 * 1024)
CODE = Path(os.environ.get("CODE", os.devnull)).read_text()
exec(CODE)  # noqa: S102

print(f"imported by {IMPORTED_BY}", flush=True)
print("written once, without being flushed")
report_as("import", IMPORTED_BY)

if os.environ.get("MODE") == "thread":
    threading.Thread(
        target=threading.Event().wait, name="eager-thread", daemon=True
    ).start()
if os.environ.get("MODE") == "collector":
    gc.set_threshold(12_345, 6, 7)


@app.route("/who")
async def who(scope: Scope, receive: Receive, send: Send) -> None:
    found = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "imported_by": IMPORTED_BY,
        "id": id(SHARED),
        "code": CODE,
        "frozen": gc.get_freeze_count(),
        "thresholds": gc.get_threshold(),
        "random": random.random(),
        "loop": type(asyncio.get_running_loop()).__module__,
        "child_signals_are_default": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }
    await answer(send, json.dumps(found).encode())


@app.route("/subprocess")
async def subprocess(scope: Scope, receive: Receive, send: Send) -> None:
    """Runs a program, and waits for it as asyncio does."""
    process = await asyncio.create_subprocess_exec("true")
    await answer(send, str(await process.wait()).encode())
