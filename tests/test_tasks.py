"""The tasks that requests run in: who makes them, when they are over, what is seen of them."""

import pytest

from conftest import Placement, Start
from harness.server import Server
from harness.ws import handshake

COUNT = 4
"""Above the limit on what may be in flight."""
LIMIT = ("--limit-concurrency", str(COUNT - 1))


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def ask(server: Server, path: str) -> tuple[int, bytes]:
    with server.connect() as wire:
        response = wire.send(get(path)).response()
        return response.status, response.body


@pytest.mark.parametrize("io_threads", ["0", "1"])
def test_requests_of_an_eager_factory_end(start: Start, io_threads: str) -> None:
    # uvloop's tasks are not made for asyncio's eager factory.
    options = ("--loop", "asyncio", "--io-threads", io_threads)
    server = start("apps.tasks:eager", *options, *LIMIT)
    assert [ask(server, "/") for _ in range(COUNT)] == [(200, b"ok")] * COUNT
    assert server.stop() == 0
    assert "Cancel" not in server.stderr.text


def test_requests_without_a_task_are_answered(
    start: Start, placement: Placement
) -> None:
    server = start("apps.tasks:refusing", *placement.options, *LIMIT)
    assert [ask(server, "/")[0] for _ in range(COUNT)] == [500] * COUNT
    with server.connect() as wire:
        assert wire.send(handshake("/")).response().status == 500
    assert server.stop() == 0
    assert "no task for this one" in server.stderr.text
    assert "Cancel" not in server.stderr.text


@pytest.mark.parametrize("io_threads", ["0", "1"])
def test_loop_that_does_not_tell_its_factory(start: Start, io_threads: str) -> None:
    options = ("--loop", "apps.tasks:SilentLoop", "--io-threads", io_threads)
    server = start("apps.tasks:plain", *options, *LIMIT)
    assert [ask(server, "/") for _ in range(COUNT)] == [(200, b"ok")] * COUNT
    assert server.stop() == 0


def test_a_task_has_name_and_stack_while_it_runs(
    start: Start, placement: Placement
) -> None:
    server = start("apps.tasks:plain", *placement.options)
    status, shown = ask(server, "/tasks")
    assert (status, shown) == (200, b"Routes.__call__ __call__ False")


@pytest.mark.parametrize("io_threads", ["0", "1"])
def test_a_loop_inside_of_the_loop(start: Start, io_threads: str) -> None:
    options = ("--loop", "asyncio", "--io-threads", io_threads)
    server = start("apps.tasks:nesting", *options)
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as other:
        wire.send(get(f"/nested?ticket={ticket}"))
        assert server.reported(ticket) == "waiting"
        assert other.send(get("/")).response().body == b"ok"
        assert wire.response().body == b"nested"
    ticket = server.ticket()
    with server.connect() as wire:
        head = f"POST /nested-body?ticket={ticket} HTTP/1.1\r\nHost: x\r\n"
        wire.send(f"{head}Content-Length: 4\r\n\r\n".encode())
        assert server.reported(ticket) == "waiting"
        assert wire.send(b"body").response().body == b"body"
    assert server.stop() == 0
    assert "ERROR" not in server.stderr.text
