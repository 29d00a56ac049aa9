"""What a task sees of the thing that `receive()` waits on, and how it is resumed."""

import json
from typing import Any

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.server import Server

APP = "apps.waiting:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE)


def experiment(server: Server, name: str) -> Any:
    """Sends a body when the application has begun to wait for it, and gives what it saw."""
    with server.connect() as wire:
        head = f"POST /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
        wire.send(head.encode())
        wire.until(b"2\r\ngo\r\n")
        wire.send(b"hello")
        size = int(wire.until(b"\r\n").strip(), 16)
        return json.loads(wire.body_piece(size))


def test_it_is_a_future_of_the_loop(server: Server) -> None:
    before = [True, False, False, True, "<Waiter pending>", False]
    assert experiment(server, "protocol") == [
        *before,
        "Result is not set.",
        *(1, 0),
        *("http.request", True, None, "<Waiter finished>"),
        *(True, 0),
        *(True, False),
    ]


def test_cancelling_loses_no_message(server: Server) -> None:
    assert experiment(server, "cancelled") == [
        "enough",
        *(True, True, "<Waiter cancelled>", False, "enough"),
        "hello",
    ]


def test_task_and_context_are_the_same_after_the_wait(server: Server) -> None:
    assert experiment(server, "own_task_and_context") == ["hello", True, 6]


def test_tasks_that_are_written_in_python(server: Server) -> None:
    assert experiment(server, "python_task") == ["hello"]


def test_error_of_a_callback_is_for_the_loop_to_report(server: Server) -> None:
    assert experiment(server, "raising_callback") == [
        "hello",
        "ValueError('callback')",
    ]


def test_exit_of_a_task_that_was_woken(launch: Start, placement: Placement) -> None:
    server = launch(APP, *placement.options, *BARE).wait_until_ready()
    with server.connect() as wire:
        wire.send(b"POST /exits HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        wire.until(b"2\r\ngo\r\n")
        wire.send(b"hello")
        assert server.wait() == 7
