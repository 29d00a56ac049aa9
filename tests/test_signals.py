"""How a server ends: signals, draining, the time it takes at most."""

import signal
import socket

import pytest

from conftest import Placement, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.shutdown:app"
WAITING = "INFO:     Waiting for connections to close. (CTRL+C to force quit)"
BOTH = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)]
)


@pytest.fixture
def server(start: Start, placement: Placement) -> Server:
    return start(APP, *placement.options)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def under_way(server: Server) -> Wire:
    """A request that is under way until two more bytes come."""
    ticket = server.ticket()
    wire = server.connect()
    wire.send(
        f"POST /waits-for-body?ticket={ticket} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo".encode()
    )
    assert server.reported(ticket) == "started"
    return wire


@BOTH
def test_idle_server_ends(server: Server, number: signal.Signals, code: int) -> None:
    with server.connect() as idle, server.connect() as never_used:
        idle.send(get("/plain")).response()
        assert server.stop(number) == code
        idle.expect_end()
        never_used.expect_end()
    assert server.stderr.lines[-4:] == [
        "INFO:     Shutting down",
        "INFO:     Waiting for application shutdown.",
        "INFO:     Application shutdown complete.",
        f"INFO:     Finished server process [{server.pid}]",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_noticed_though_it_interrupts_nothing(
    start: Start, placement: Placement, number: signal.Signals
) -> None:
    server = start("apps.life:signals_elsewhere", *placement.options)
    server.wait_until_asleep()
    server.signal(number)
    server.stderr.wait_for("^INFO:     Shutting down$")


@BOTH
def test_request_under_way_is_finished(
    server: Server, number: signal.Signals, code: int
) -> None:
    with under_way(server) as wire:
        server.signal(number)
        server.stderr.wait_for("^INFO:     Waiting for connections to close")
        response = wire.send(b"dy").response()
        assert (response.status, response.body) == (200, b"body")
        assert response.get(b"connection") == b"close"
        wire.expect_end()
        assert server.wait() == code
    lines = server.stderr.lines
    assert lines[lines.index(WAITING) - 1] == "INFO:     Shutting down"
    assert "INFO:     Application shutdown complete." in lines


def test_clients_that_wait_already_are_answered(server: Server) -> None:
    with server.connect() as used:
        used.send(get("/plain")).response()
        server.signal(signal.SIGSTOP)
        server.wait_until_stopped()
        fresh = [server.connect() for _ in range(5)]
        for wire in (used, *fresh):
            wire.send(get("/plain"))
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGCONT)
        for wire in (used, *fresh):
            assert wire.response().status == 200
            wire.expect_end()


def test_nobody_gets_in_any_more(server: Server) -> None:
    with under_way(server) as wire:
        server.signal(signal.SIGTERM)
        server.stderr.wait_for("^INFO:     Waiting for connections to close")
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port))
        wire.send(b"dy").response()
        assert server.wait() == -signal.SIGTERM


def test_pipelined_request_behind_the_last_one_is_not_served(server: Server) -> None:
    with under_way(server) as wire:
        server.signal(signal.SIGTERM)
        server.stderr.wait_for("^INFO:     Waiting for connections to close")
        wire.send(b"dy" + get("/plain"))
        assert wire.response().body == b"body"
        wire.expect_end()
        server.wait()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@BOTH
def test_second_signal_forces(
    server: Server, number: signal.Signals, code: int, second: signal.Signals
) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/stubborn?ticket={ticket}"))
        assert server.reported(ticket) == "started"
        server.signal(number)
        server.stderr.wait_for("^INFO:     Waiting for connections to close")
        server.signal(second)
        # Whichever of the two was SIGTERM is what the process dies of.
        assert server.wait() == (
            -signal.SIGTERM if signal.SIGTERM in (number, second) else code
        )
    assert "Application shutdown complete." not in server.stderr.text


def test_stubborn_request_is_cancelled_when_the_time_is_over(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, "--timeout-graceful-shutdown", "1")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/stubborn?ticket={ticket}"))
        assert server.reported(ticket) == "started"
        server.signal(signal.SIGTERM)
        assert server.reported(ticket) == [
            "CancelledError",
            "Task cancelled, timeout graceful shutdown exceeded",
        ]
        assert server.wait() == -signal.SIGTERM
        assert wire.rest().startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    lines = server.stderr.lines
    assert (
        "ERROR:    Cancel 1 running task(s), timeout graceful shutdown exceeded"
        in lines
    )
    assert "INFO:     Application shutdown complete." in lines


def test_time_of_zero(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--timeout-graceful-shutdown", "0")
    tickets = [server.ticket() for _ in range(3)]
    wires = [
        server.connect().send(get(f"/stubborn?ticket={ticket}")) for ticket in tickets
    ]
    for ticket in tickets:
        assert server.reported(ticket) == "started"
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    for wire in wires:
        wire.close()
    assert (
        "ERROR:    Cancel 3 running task(s), timeout graceful shutdown exceeded"
        in server.stderr.lines
    )


def test_streams_learn_of_the_end_and_end_well(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, "--timeout-graceful-shutdown", "2")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/stream?ticket={ticket}"))
        assert server.reported(ticket) == "started"
        server.signal(signal.SIGTERM)
        assert server.reported(ticket) == {"type": "http.disconnect"}
        assert server.reported(ticket) == "ended"
        response = wire.response()
        assert response.body == b"eventbye"
        wire.expect_end()
        assert server.wait() == -signal.SIGTERM
    assert "ERROR" not in server.stderr.text


def test_work_after_an_answer_is_waited_for(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--timeout-graceful-shutdown", "1")
    ticket = server.ticket()
    with server.connect() as wire:
        assert wire.send(get(f"/background?ticket={ticket}")).response().body == b"ok"
        assert server.reported(ticket) == "answered"
        server.signal(signal.SIGTERM)
        server.stderr.wait_for(
            r"^INFO:     Waiting for background tasks to complete\. \(CTRL\+C to force quit\)$"
        )
        assert server.reported(ticket) == "cancelled"
        assert server.wait() == -signal.SIGTERM


def test_stalled_reader_does_not_outlive_the_time(
    start: Start, placement: Placement
) -> None:
    server = start(
        "apps.streams:app", *placement.options, "--timeout-graceful-shutdown", "1"
    )
    ticket = server.ticket()
    with server.connect(receive_buffer=4096) as wire:
        wire.send(get(f"/download?chunks=10000&ticket={ticket}"))
        server.reported(ticket)
        server.signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM


def test_stop_under_load_loses_no_answer(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    wires = [server.connect() for _ in range(20)]
    for wire in wires:
        wire.send(get("/plain")).response()
    for wire in wires:
        wire.send(get("/plain"))
    server.signal(signal.SIGTERM)
    for wire in wires:
        # Served before the end, or closed without an answer; never half of one.
        said = wire.rest()
        assert said == b"" or (
            said.startswith(b"HTTP/1.1 200 OK\r\n") and said.endswith(b"\r\n\r\nok")
        )
    assert server.wait() == -signal.SIGTERM


# --- Start-up and shutdown of the application -----------------------------------------------------


@BOTH
def test_start_up_can_be_interrupted(
    launch: Start, number: signal.Signals, code: int
) -> None:
    server = launch("apps.life:slow_start", "--port", "0")
    assert server.reported("event") == "starting"
    assert server.stop(number) == code
    assert server.reported("event") == "CancelledError"
    assert "running on" not in server.stderr.text
    assert "Traceback" not in server.stderr.text


def test_slow_shutdown_can_be_forced(start: Start) -> None:
    server = start("apps.life:slow_stop")
    server.signal(signal.SIGINT)
    assert server.reported("event") == "stopping"
    server.signal(signal.SIGINT)
    assert server.wait() == 0


def test_other_signals_keep_their_meaning(start: Start) -> None:
    server = start(APP)
    assert server.stop(signal.SIGHUP) == -signal.SIGHUP
