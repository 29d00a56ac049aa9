"""A log that cannot be written is the operator's trouble, and costs no client its answer."""

import os
import time
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


@pytest.mark.parametrize("io_threads", ["0", "1"])
def test_a_reader_that_stops_does_not_make_the_process_immortal(
    launch: Start, tmp_path: Path, io_threads: str
) -> None:
    unread = tmp_path / "unread"
    os.mkfifo(unread)
    # Who opens a FIFO for both keeps it open, and here nobody reads it.
    held = os.open(unread, os.O_RDWR)
    server = launch(
        *("apps.logged:app", "--port", "0", "--io-threads", io_threads),
        env={"UNREAD": str(unread)},
        prefix=("sh", "-c", 'exec "$@" >"$UNREAD"', "sh"),
    ).wait_until_ready()
    with server.connect() as wire:
        with pytest.raises(AssertionError, match="in time"):
            while True:
                wire.send(get("/" + 4000 * "a")).response(seconds=1)
    # Signals of one kind that nobody has looked at yet are one signal.
    deadline = Deadline()
    while server.running() and deadline.left():
        server.signal(Signals.SIGTERM)
        time.sleep(0.05)
    assert server.wait() == -Signals.SIGTERM
    os.close(held)
