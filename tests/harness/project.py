"""A folder with an application that says which version of it answers, and a client for it."""

import os
import re
from pathlib import Path

from harness.server import Server
from harness.wire import Response

DETECTED = (
    r"^WARNING:  File(?:Events|Polling) detected changes in (.*)\. Reloading\.\.\.$"
)

APP = """\
import asyncio, json, os, pathlib, signal, time

VERSION = "{version}"


def report(what):
    os.write(int(os.environ["TEST_REPORTS_FD"]), (json.dumps(["event", what]) + "\\n").encode())


{prelude}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({{"type": kind + ".complete"}})
            if kind == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({{"type": "websocket.accept"}})
        report("accepted")
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        report(message["code"])
        return
    path = scope["path"]
    if path == "/pid":
        body = str(os.getpid())
    else:
        body = VERSION
    if path == "/blocked":
        report("blocked")
        time.sleep(60)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    if path.startswith("/stream"):
        await send({{"type": "http.response.body", "body": b"first", "more_body": True}})
        report("streaming")
        while path == "/stream-stubborn":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
        while (await receive())["type"] != "http.disconnect":
            pass
        report("disconnect")
        body = "last"
    await send({{"type": "http.response.body", "body": body.encode()}})
"""


class Project:
    """Files of a program that a test changes while it is served."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.save("one")

    def path(self, name: str) -> Path:
        """The path of a file, in a folder that is there."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str = "") -> None:
        """Writes a file in place."""
        self.path(name).write_text(text)

    def save(self, version: str, prelude: str = "") -> None:
        """Saves the application as one write and one rename."""
        temporary = self.path("main.saving")
        temporary.write_text(source(version, prelude))
        os.replace(temporary, self.path("main.py"))


def source(version: str, prelude: str = "") -> str:
    """The text of the application."""
    return APP.format(version=version, prelude=prelude)


def get(server: Server, path: str = "/", headers: str = "") -> Response:
    """One request on a connection of its own."""
    with server.connect() as wire:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
        )
        return wire.send(request.encode()).response()


def answer(server: Server, path: str = "/") -> str:
    """The body of a good answer."""
    response = get(server, path)
    assert response.status == 200, response.raw
    return response.body.decode()


def detected(server: Server) -> list[str]:
    """What was named in each line that told of changes."""
    return re.findall(DETECTED, server.stderr.text, re.MULTILINE)


def wait_until_detected(server: Server, count: int) -> str:
    """Waits for so many lines that tell of changes, and returns what the last one names."""

    def find(said: bytearray) -> str | None:
        found = re.findall(DETECTED, said.decode(), re.MULTILINE)
        return found[count - 1] if len(found) >= count else None

    return server.stderr.wait_until(find, f"{count} lines that tell of changes")


def wait_until_started(server: Server, count: int) -> int:
    """Waits until so many workers have started, and returns the number of the last one."""

    def find(said: bytearray) -> int | None:
        found = re.findall(rb"Started server process \[(\d+)\]", said)
        return int(found[count - 1]) if len(found) >= count else None

    return server.stderr.wait_until(find, f"{count} started workers")


def wait_until_ready(server: Server, count: int) -> None:
    """Waits until so many workers serve."""

    def find(said: bytearray) -> bool | None:
        return said.count(b"Application startup complete.") >= count or None

    server.stderr.wait_until(find, f"{count} workers that serve")
