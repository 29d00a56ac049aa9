"""A look into a server that runs: `smolcorn inspect PID`, and SIGUSR1."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness.deadline import Deadline
from harness.server import Server, environment, program
from harness.workers import wait_for_workers

APP = "apps.traced:app"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux",
    reason="a server is asked over an abstract socket, and found in /proc",
)


def inspect(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program(), "inspect", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def table(server: Server) -> str:
    done = inspect(server.pid)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def wait_for(server: Server, pattern: str) -> str:
    """Looks until the table says so."""
    deadline = Deadline(30)
    while not re.search(pattern, text := table(server), re.MULTILINE):
        assert deadline.left(), text
    return text


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.fixture
def server(start: Start, placement: Placement) -> Server:
    return start(APP, *placement.options)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that lets requests go on that wait for it."""
    return tmp_path / "gate"


def test_help() -> None:
    done = subprocess.run(
        [*program(), "inspect", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: smolcorn inspect PID [--watch SECONDS]\n\n")
    assert done.stderr == ""


def test_all_actors_are_shown(server: Server) -> None:
    with server.connect() as wire:
        answer = wire.send(get("/")).response()
        assert answer.status == 200
        text = wait_for(server, r"^connection#1 ")
        lines = text.splitlines()
        assert re.fullmatch(
            rf"smolcorn \S+, process {server.pid}, 1 connections", lines[0]
        )
        assert lines[1].split() == "ACTOR STATE AGE MAILBOX READ WRITTEN PEER".split()
        assert re.match(r"dispatch +waits for events +\d+\.\d{3} s +0$", lines[2])
        assert re.match(r"listener#1 +open +\d+\.\d{3} s +0$", lines[3])
        assert re.match(
            rf"connection#1 +open +\d+\.\d{{3}} s +0 +{len(get('/'))} B +\d+ B  "
            rf"127\.0\.0\.1:{wire.local_port}$",
            lines[4],
        )
    assert server.stop() == 0


def test_where_the_loop_hangs(server: Server, gate: Path) -> None:
    with server.connect() as wire:
        wire.send(get(f"/block?until={gate}"))
        text = wait_for(server, r"^dispatch +busy (.*\n)*.*in blocked_here")
        assert re.search(r"^dispatch +busy ", text, re.MULTILINE)
        assert re.search(
            r"^dispatch has been busy for \d+\.\d{3} s, and runs the application for request 1 of "
            r"connection#1\.$",
            text,
            re.MULTILINE,
        )
        assert "The event loop's thread is at" in text
        gate.touch()
        assert wire.response().body == b"free"
    wait_for(server, "dispatch runs nothing now")


def test_where_a_request_waits(server: Server, gate: Path) -> None:
    with server.connect() as wire:
        wire.send(get(f"/wait?until={gate}"))
        wait_for(
            server,
            r"^request 1 of connection#1, GET /wait, at .*traced\.py:\d+ in waits_here$",
        )
        gate.touch()
        wire.response()


def test_where_a_thread_of_wsgi_is(start: Start, placement: Placement) -> None:
    server = start("apps.wsgi:app", *placement.options)
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        wire.send(get(f"/waits?ticket={ticket}"))
        wait_for(
            server, r"^thread wsgi-\d+, GET /waits, at .*apps/wsgi\.py:\d+ in waits$"
        )
        opener.send(get(f"/open?ticket={ticket}")).response()
        wire.response()


def test_a_signal_is_answered_on_stderr(server: Server, gate: Path) -> None:
    with server.connect() as wire:
        wire.send(get(f"/block?until={gate}"))
        wait_for(server, "in blocked_here")
        server.signal(signal.SIGUSR1)
        server.stderr.wait_for("in blocked_here")
        assert "dispatch has been busy for" in server.stderr.text
        gate.touch()
        wire.response()
    assert server.stop() == 0


def started(server: Server) -> list[str]:
    """The numbers of all workers that were ever started."""
    return re.findall(r"Started server process \[(\d+)\]", server.stderr.text)


@pytest.mark.parametrize("more", [(), ("--preload",)], ids=["plain", "preload"])
def test_workers_are_shown_by_their_parent(start: Start, more: tuple[str, ...]) -> None:
    server = start(APP, "--workers", "2", *more)
    wait_for_workers(server, 2)
    numbers = started(server)
    deadline = Deadline(30)
    # They can be looked into a moment after they have said that they started.
    text = ""
    while not all(f"process {number}," in text for number in numbers):
        assert deadline.left(), text
        text = inspect(server.pid).stdout
    assert text.count("listener#1 ") == 2
    # The parent passes the signal on to those of whom it knows that they serve.
    while not all(
        f"process {number}, 0 connections" in server.stderr.text for number in numbers
    ):
        assert deadline.left(), server.stderr.text
        server.signal(signal.SIGUSR1)
        time.sleep(0.05)
    assert started(server) == numbers
    assert server.stop() == 0


def test_again_and_again_until_the_server_ends(start: Start) -> None:
    server = start(APP)
    asked = subprocess.Popen(
        [*program(), "inspect", str(server.pid), "--watch", "0.1"],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asked.stdout is not None
    seen = 0
    for line in asked.stdout:
        seen += line.startswith("ACTOR")
        if seen == 3:
            server.stop()
            break
    asked.communicate(timeout=30)
    assert asked.returncode == 0


def test_what_cannot_be_looked_into() -> None:
    # Not this process: it has servers among its children.
    with subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as other:
        done = inspect(other.pid)
        other.kill()
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == f"Error: Process {other.pid} is no smolcorn server that runs.\n"
    )
    # Beyond what the kernel gives.
    done = inspect(4_194_305)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: There is no process 4194305.\n",
    )


def test_usage_errors() -> None:
    done = inspect()
    assert done.returncode == 2
    assert done.stderr == (
        "Usage: smolcorn inspect PID [--watch SECONDS]\n\n"
        "Error: The number of a process is missing.\n"
    )
    assert inspect("main:app").returncode == 2
