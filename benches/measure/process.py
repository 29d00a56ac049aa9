"""Runs one server on one core: starts it, waits until it answers rightly, stops it."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .failure import Failure
from .loads import Load
from .servers import HOST, Server

APPS = Path(__file__).parents[1] / "apps"
START_S = 20
STOP_S = 5
POLL_S = 0.02
#: Variables by which a shell's settings would get into a server.
FOREIGN_VARIABLES = ("SMOLCORN_", "UVICORN_", "GRANIAN_", "WEB_CONCURRENCY")


@dataclass(frozen=True)
class Running:
    """A server that has answered."""

    pid: int
    port: int


@contextmanager
def running(server: Server, load: Load, core: int) -> Iterator[Running]:
    """The server on that core, until the block ends.

    What it prints goes to a file, and so does its access log. If it ends by itself, the failure
    quotes its last line.
    """
    port = free_port()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            server.command(load, port),
            cwd=APPS,
            env={
                k: v
                for k, v in os.environ.items()
                if not k.startswith(FOREIGN_VARIABLES)
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=partial(os.sched_setaffinity, 0, {core}),
        )
        try:
            wait_until_right(process, load, port)
            yield Running(process.pid, port)
            if process.poll() is not None:
                raise Failure(f"ended by itself with status {process.returncode}")
        except Failure as failure:
            if process.poll() is None:
                raise
            output.seek(0)
            said = output.read().strip().splitlines()[-1:]
            raise Failure("; ".join([str(failure), *said])) from None
        finally:
            stop(process)


def free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def wait_until_right(process: "subprocess.Popen[bytes]", load: Load, port: int) -> None:
    """Returns when the server gives the answer that the load expects."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            status, size = ask(load, port)
            break
        except (OSError, http.client.HTTPException):
            if process.poll() is not None:
                raise Failure(f"did not start: status {process.returncode}") from None
            if time.monotonic() > deadline:
                raise Failure(f"did not answer within {START_S} s") from None
            time.sleep(POLL_S)
    if status != 200 or size != load.answer_bytes:
        raise Failure(
            f"answered {status} with {size} bytes, not 200 with {load.answer_bytes}"
        )


def ask(load: Load, port: int) -> tuple[int, int]:
    """The status and the size of one answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=START_S)
    try:
        connection.request(load.method, "/", b"x" * load.body_bytes or None)
        response = connection.getresponse()
        return response.status, len(response.read())
    finally:
        connection.close()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Asks the server to end, and ends what is left of its process group."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
