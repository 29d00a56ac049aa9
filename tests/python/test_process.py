"""Signals and exit statuses of a whole process, on the fake core."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.deadline import DEADLINE_SECONDS, Deadline
from harness.output import Output

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

SCRIPT = Path(__file__).with_name("process_app.py")


class Server:
    """A process, and what it has said so far."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout and self.process.stderr
        self.stdout = Output("stdout", os.dup(self.process.stdout.fileno()))
        self.stderr = Output("stderr", os.dup(self.process.stderr.fileno()))
        self.process.stdout.close()
        self.process.stderr.close()
        self._seen = 0

    def wait_for(self, text: str) -> None:
        """Waits for a line with this text; `end` will return what follows it."""
        found = self.stderr.wait_for(f"^.*{re.escape(text)}.*\n")
        self._seen = found.end()

    def kill(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, list[str], str]:
        """Waits for the end; returns the status, the last lines and standard output."""
        status = self.process.wait(DEADLINE_SECONDS)
        self.stdout.wait_for_end()
        self.stderr.wait_for_end()
        return status, self.stderr.text[self._seen :].splitlines(), self.stdout.text


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return f'loop="{request.param}"'


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        server.process.kill()
        server.process.wait(DEADLINE_SECONDS)


def start(servers: list[Server], *arguments: str) -> Server:
    server = Server(*arguments)
    servers.append(server)
    return server


def without_pid(line: str) -> str:
    return line.partition(" [")[0]


END = [
    "INFO:     Shutting down",
    "INFO:     Waiting for application shutdown.",
    "INFO:     Application shutdown complete.",
    "INFO:     Finished server process",
]


def test_sigint_ends_with_status_0(servers: list[Server], loop: str) -> None:
    server = start(servers, "app", loop)
    server.wait_for("Smolcorn running on")
    server.kill(signal.SIGINT)
    status, lines, _ = server.end()
    assert status == 0
    assert [without_pid(line) for line in lines] == [*END, "run returned"]


def test_sigterm_ends_as_the_signal_does(servers: list[Server], loop: str) -> None:
    server = start(servers, "app", loop)
    server.wait_for("Smolcorn running on")
    server.kill(signal.SIGTERM)
    status, lines, out = server.end()
    assert status == -signal.SIGTERM
    assert [without_pid(line) for line in lines] == END
    assert out == "kept in the buffer of standard output\n"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_signal_interrupts_start_up(
    servers: list[Server], loop: str, number: signal.Signals, status: int
) -> None:
    server = start(servers, "never_starts", loop)
    server.wait_for("starting")
    server.kill(number)
    ended, lines, _ = server.end()
    assert ended == status
    assert [without_pid(line) for line in lines[:2]] == [
        "INFO:     Application startup interrupted.",
        "INFO:     Finished server process",
    ]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_forces(
    servers: list[Server], loop: str, second: signal.Signals
) -> None:
    server = start(servers, "never_stops", loop)
    server.wait_for("Smolcorn running on")
    server.kill(signal.SIGTERM)
    server.wait_for("Waiting for application shutdown.")
    server.kill(second)
    status, lines, _ = server.end()
    # Whatever else came, the process dies of SIGTERM.
    assert status == -signal.SIGTERM
    assert without_pid(lines[0]) == "INFO:     Finished server process"


def test_a_third_signal_kills_what_blocks_the_loop(servers: list[Server]) -> None:
    server = start(servers, "never_waits")
    server.wait_for("starting")
    # Distinct signals, because the kernel merges equal ones that are still pending.
    server.kill(signal.SIGTERM)
    server.kill(signal.SIGINT)
    status, deadline = None, Deadline()
    while status is None and deadline.left():
        server.kill(signal.SIGTERM)
        try:
            status = server.process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    assert status in (-signal.SIGTERM, -signal.SIGINT)


def test_a_blocked_thread_does_not_hold_up_sigterm(
    servers: list[Server], loop: str
) -> None:
    server = start(servers, "blocks_a_thread", loop)
    server.wait_for("Smolcorn running on")
    server.kill(signal.SIGTERM)
    status, lines, _ = server.end()
    assert status == -signal.SIGTERM
    assert [without_pid(line) for line in lines] == END


def test_the_status_of_a_failed_start(servers: list[Server]) -> None:
    status, lines, _ = start(servers, "nope").end()
    assert status == 3
    assert lines == [
        'ERROR:    Error loading ASGI app. Attribute "nope" not found in module '
        '"process_app". Did you mean "process_app:app"?',
        "run returned",
    ]


def test_an_unknown_loop_leaves_no_warning(servers: list[Server]) -> None:
    status, lines, _ = start(servers, "app", 'loop="foo"').end()
    assert status == 3
    assert [line.split()[0] for line in lines] == ["ERROR:", "run"]
