"""For servers of several processes: says which one answers, blocks it, fails to start.

The import fails while the file named by BROKEN_WHILE exists.
"""

import ctypes
import os
import subprocess
import time

from apps.asgi import answer, query, report_as
from apps.routes import Receive, Routes, Scope, Send
from apps.shutdown import app as shutdown_app

if os.path.exists(os.environ.get("BROKEN_WHILE", "")):
    raise RuntimeError("broken on purpose")

app = Routes()
app.handlers.update(shutdown_app.handlers)

KEPT: list[bytes] = []


@app.route("/pid")
async def pid(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, str(os.getpid()).encode())


@app.route("/block")
async def block(scope: Scope, receive: Receive, send: Send) -> None:
    """Keeps the loop from running; `gil` says whether other threads may run."""
    asked = query(scope)
    report_as(asked["ticket"], os.getpid())
    if asked.get("gil") == "held":
        ctypes.PyDLL(None).sleep(int(asked["seconds"]))
    else:
        time.sleep(float(asked["seconds"]))
    await answer(send, str(os.getpid()).encode())


@app.route("/orphan")
async def orphan(scope: Scope, receive: Receive, send: Send) -> None:
    """Leaves a process behind that has lost its parent, and ends when a line comes to it."""
    started = subprocess.run(
        ["sh", "-c", 'head -n1 "$0" > /dev/null & echo $!', query(scope)["fifo"]],
        stdout=subprocess.PIPE,
        check=True,
    )
    await answer(send, started.stdout)


@app.route("/grow")
async def grow(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes so many MiB of memory, for good."""
    KEPT.append(os.urandom(1024) * 1024 * int(query(scope)["mib"]))
    await answer(send, str(os.getpid()).encode())


@app.route("/environment")
async def environment(scope: Scope, receive: Receive, send: Send) -> None:
    """The names of the variables that programs of the application would inherit."""
    await answer(send, " ".join(os.environ).encode())


@app.route("/server")
async def server(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, repr(scope["server"]).encode())
