"""`send` and `receive` in tasks, timeouts, groups; the task and the context that an application runs in."""

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.concurrency:app", *placement.options, *BARE)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, body: bytes, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
        + body
    )


def test_what_the_calls_return(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        assert wire.send(get(f"/kinds?ticket={ticket}")).response().body == b"done"
    assert server.reported(ticket) == [True] * 5
    assert server.reported(ticket) == [True] * 2
    assert server.reported(ticket) is None


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/tasks", b"body done"),
        ("/ensure-future", b"body"),
        ("/gather", b"".join(b"%d " % number for number in range(20)) + b"body"),
        ("/anyio", b"body done"),
        ("/listen-and-stream", b"01234"),
        ("/never-awaited", b"body"),
        ("/current-task", b"done"),
        ("/cancels-itself", b"was cancelled"),
        ("/timeout", b"1"),
        ("/context-kept", b"mine mine"),
        ("/ticks", b"ticked"),
        ("/late", b"late"),
        ("/thread", b"from a thread"),
    ],
)
def test_ways_to_call(server: Server, path: str, answer: bytes) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        for _ in range(3):
            response = wire.send(post(path, b"body")).response()
            assert (response.status, response.body) == (200, answer)
    assert server.stderr.since(before) == ""


@pytest.mark.parametrize(
    "path",
    ["/tasks", "/gather", "/anyio", "/listen-and-stream", "/ticks", "/late", "/thread"],
)
def test_ways_to_call_pipelined(server: Server, path: str) -> None:
    with server.connect() as wire:
        wire.send(post(path, b"body") * 20)
        answers = {wire.response().body for _ in range(20)}
        assert len(answers) == 1


def test_large_sends_side_by_side_keep_their_order(server: Server) -> None:
    with server.connect(receive_buffer=16_384) as wire:
        body = wire.send(get("/gather-large")).response().body
        assert body == b"".join(bytes([65 + number]) * 100_000 for number in range(26))


def test_send_that_is_given_up_while_it_waits_sends_nothing(server: Server) -> None:
    ticket = server.ticket()
    with server.connect(receive_buffer=16_384) as wire:
        wire.send(get(f"/cancel-send?ticket={ticket}"))
        assert server.reported(ticket) == "gave up"
        expected = b"".join(b"%07d\n" % number * 12_500 for number in range(100))
        assert wire.response().body == expected


def test_wait_for_loses_nothing(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/wait-for-body?ticket={ticket}", b"", length=5))
        assert server.reported(ticket) == "gave up"
        assert wire.send(b"hello").response().body == b"hello"


def test_cancelled_receiver_takes_nothing_with_it(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/cancel-receive?ticket={ticket}", b"", length=5))
        assert server.reported(ticket) == "cancelled"
        assert wire.send(b"hello").response().body == b"hello"


def test_cancelling_while_the_body_comes_loses_nothing(server: Server) -> None:
    ticket = server.ticket()
    data = b"".join(b"%5d" % number for number in range(2000))
    with server.connect() as wire:
        wire.send(post(f"/cancel-as-it-comes?ticket={ticket}", b"", length=len(data)))
        assert server.reported(ticket) == "ready"
        for at in range(0, len(data), 50):
            wire.send(data[at : at + 50])
        assert wire.response().body == data


def test_two_receivers_at_a_time(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/two-receivers?ticket={ticket}", b"", length=5))
        assert server.reported(ticket) == "waiting"
        assert wire.send(b"hello").response().body == b"hello"
        assert server.reported(ticket) == ["http.disconnect", "http.request"]


@pytest.mark.parametrize(
    ("options", "seen"), [((), b"the server's"), (("--reset-contextvars",), b"none")]
)
def test_requests_start_from_the_context_of_the_server_or_an_empty_one(
    pool: Pool, placement: Placement, options: tuple[str, ...], seen: bytes
) -> None:
    server = pool.get("apps.concurrency:app", *placement.options, *BARE, *options)
    with server.connect() as wire:
        for _ in range(3):
            path = "/context-of-the-server"
            assert wire.send(get(path)).response().body == seen
            assert wire.send(get("/context?wait")).response().body == b"clean"


@pytest.mark.parametrize("path", ["/context", "/context?wait"])
def test_requests_of_a_connection_start_from_a_clean_context(
    server: Server, path: str
) -> None:
    with server.connect() as wire:
        for _ in range(3):
            assert wire.send(get(path)).response().body == b"clean"


@pytest.mark.parametrize("path", ["/context", "/context?wait"])
def test_pipelined_requests_start_from_a_clean_context(
    server: Server, path: str
) -> None:
    with server.connect() as wire:
        wire.send(get(path) * 5)
        assert [wire.response().body for _ in range(5)] == [b"clean"] * 5


def test_task_left_behind_goes_on(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        assert (
            wire.send(get(f"/background?ticket={ticket}")).response().body == b"started"
        )
    assert server.reported(ticket) == f"worked {ticket}"


def test_requests_of_many_connections_run_side_by_side(
    pool: Pool, placement: Placement
) -> None:
    server = pool.get("apps.concurrency:app", *placement.options, *BARE)
    count = 100
    ticket = server.ticket()
    wires = [server.connect() for _ in range(count)]
    for wire in wires:
        wire.send(get(f"/rendezvous?count={count}&ticket={ticket}"))
    for wire in wires:
        assert wire.response().body == b"met"
        wire.close()
