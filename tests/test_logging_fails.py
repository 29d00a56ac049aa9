"""A log that cannot be written is the operator's trouble, and costs no client its answer."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import pytest

from conftest import Placement, Start
from harness.deadline import Deadline
from harness.server import Server
from harness.ws import handshake

COUNT = 5
"""Above the limits on what may be under way at a time."""


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def status(server: Server, path: str) -> int:
    with server.connect() as wire:
        return wire.send(get(path)).response().status


def test_answers_go_out(start: Start, placement: Placement) -> None:
    options = ("--limit-concurrency", str(COUNT - 1))
    server = start("apps.logging_fails:app", *placement.options, *options)
    assert [status(server, "/bad") for _ in range(COUNT)] == [500] * COUNT
    assert status(server, "/good") == 200
    assert server.reported("told") == "a filter that raises"
    assert server.stop() == 0


def test_no_thread_of_wsgi_is_lost(start: Start, placement: Placement) -> None:
    options = ("--interface", "wsgi", "--wsgi-threads", "2")
    server = start("apps.logging_fails:wsgi", *placement.options, *options)
    assert status(server, "/install") == 200
    assert [status(server, "/bad") for _ in range(COUNT)] == [500] * COUNT
    assert status(server, "/good") == 200
    assert server.stop() == 0


def test_handshakes_are_refused(start: Start, placement: Placement) -> None:
    server = start("apps.logging_fails:app", *placement.options)
    with server.connect() as wire:
        assert wire.send(handshake("/bad")).response().status == 500
    assert status(server, "/good") == 200
    assert server.stop() == 0


@contextlib.contextmanager
def unread(launch: Start, tmp_path: Path, *options: str) -> Iterator[Server]:
    """A server whose standard output nobody reads."""
    pipe = tmp_path / "unread"
    os.mkfifo(pipe)
    # Who opens a FIFO for both keeps it open.
    held = os.open(pipe, os.O_RDWR)
    yield launch(
        *("apps.logged:app", "--port", "0", *options),
        env={"UNREAD": str(pipe)},
        prefix=("sh", "-c", 'exec "$@" >"$UNREAD"', "sh"),
    ).wait_until_ready()
    os.close(held)


LONG = get("/" + 4000 * "a")
"""A request whose line in the log is long."""


@pytest.mark.parametrize("io_threads", ["0", "1"])
def test_a_reader_that_stops_does_not_make_the_process_immortal(
    launch: Start, tmp_path: Path, io_threads: str
) -> None:
    with unread(launch, tmp_path, "--io-threads", io_threads) as server:
        with server.connect() as wire, pytest.raises(AssertionError, match="in time"):
            while True:
                wire.send(LONG).response(seconds=1)
        # Signals of one kind that nobody has looked at yet are one signal.
        deadline = Deadline()
        while server.running() and deadline.left():
            server.signal(Signals.SIGTERM)
            time.sleep(0.05)
        assert server.wait() == -Signals.SIGTERM


def test_last_lines_that_nobody_reads_are_dropped(
    launch: Start, placement: Placement, tmp_path: Path
) -> None:
    with unread(launch, tmp_path, *placement.options) as server:
        with server.connect() as wire:
            # More than a pipe takes, and less than may wait.
            for _ in range(100):
                assert wire.send(LONG).response().status == 200
        assert server.stop() == 0
        assert "Nobody reads the access log any more." in server.stderr.text
