"""Trace files and trace lines: what is in them, whom they show, and how they end."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness import ws
from harness.deadline import Deadline
from harness.server import Server
from harness.trace import Trace
from harness.workers import wait_for_workers, workers

APP = "apps.traced:app"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"

Traced = Callable[..., Server]


def get(path: str, *lines: str) -> bytes:
    head = "".join(
        f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: x", *lines)
    )
    return f"{head}\r\n".encode()


def ask(server: Server, *requests: bytes) -> None:
    """Sends requests one after the other on one connection, and takes the answers."""
    with server.connect() as wire:
        for request in requests:
            wire.send(request).response()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trace.json"


@pytest.fixture
def traced(start: Start, placement: Placement, file: Path) -> Traced:
    def start_traced(*options: str) -> Server:
        return start(APP, *placement.options, "--trace-file", str(file), *options)

    return start_traced


def test_a_request_on_its_way_through_the_actors(traced: Traced, file: Path) -> None:
    server = traced()
    ask(server, get("/"))
    assert server.stop() == 0
    trace = Trace(file)
    assert {"dispatch", "listener#1", "connection#1", "application 1"} == trace.tracks
    request = trace.span("dispatch", "request")
    assert request["args"]["from"] == "connection#1"
    assert request["args"]["request"] == 1
    assert request["args"]["waited_us"] > 0
    response = trace.span("connection#1", "response")
    assert response["args"]["from"] == "dispatch"
    assert response["args"]["bytes"] == 2
    arrows = trace.arrows()
    for arrow in [
        ("connection#1", "dispatch"),
        ("dispatch", "connection#1"),
        ("connection#1", "listener#1"),
        ("dispatch", "listener#1"),
        ("listener#1", "dispatch"),
    ]:
        assert arrow in arrows
    turns = trace.spans("connection#1", "turn")
    assert sum(turn["args"]["read"] for turn in turns) == len(get("/"))
    assert sum(turn["args"]["written"] for turn in turns) > 0
    assert trace.spans("dispatch", "turn")
    said = trace.instants("connection#1")
    assert (said[0], said[-1]) == ("started", "stopped")
    assert trace.instants("dispatch") == ["started", "stopped"]
    for actor in ("dispatch", "connection#1", "listener#1"):
        lengths = trace.counter(f"mailbox of {actor}")
        assert lengths[-1] == 0 and max(lengths) > 0
    assert trace.counter("connections") == [1, 0]


def test_the_applications_time_is_split(traced: Traced, file: Path) -> None:
    server = traced()
    ask(server, get("/sleep"), get("/"))
    server.stop()
    trace = Trace(file)
    slept = trace.span("application 1", "GET /sleep")
    args = slept["args"]
    assert args["actor"] == "connection#1" and args["request"] == 1
    assert args["status"] == 200
    assert args["waiting_us"] >= 19_000
    assert 0 < args["running_us"] < slept["dur"]
    parts = [part["name"] for part in trace.within(slept)]
    # An eager task runs at once; another one waits for its first step by the loop.
    assert parts == ["runs", "waits", "runs"]
    waits = trace.span("application 1", "waits")
    assert waits["dur"] == pytest.approx(args["waiting_us"], abs=0.01)
    steps = trace.spans("dispatch", "GET /sleep")
    assert len(steps) == 2
    assert sum(step["dur"] for step in steps) == pytest.approx(
        args["running_us"], abs=0.01
    )
    plain = trace.span("application 1", "GET /")
    assert plain["args"]["waiting_us"] == 0


def test_requests_at_the_same_time_have_lanes(
    traced: Traced, file: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    server = traced()
    with server.connect() as one, server.connect() as other:
        one.send(get(f"/wait?until={gate}"))
        other.send(get(f"/wait?until={gate}"))
        for _ in range(3):
            ask(server, get("/"))
        server.stderr  # noqa: B018
        gate.touch()
        one.response()
        other.response()
    server.stop()
    trace = Trace(file)
    lanes = {name for name in trace.tracks if name.startswith("application")}
    assert lanes == {"application 1", "application 2", "application 3"}


def test_uploads_streams_and_failures(traced: Traced, file: Path) -> None:
    server = traced()
    with server.connect() as wire:
        wire.send(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        # The application has asked for the body, and waits for it.
        wire.until(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(b"0123456789").response()
        assert len(wire.send(get("/stream")).response().body) == 20 * 65_536
    ask(server, get("/raise"))
    server.stop()
    trace = Trace(file)
    upload = trace.span("application 1", "POST /upload")
    assert "waits in receive()" in [part["name"] for part in trace.within(upload)]
    (arrived,) = trace.spans("dispatch", "last of the body")
    assert arrived["args"]["bytes"] == 10
    pieces = trace.spans("connection#1", "body")
    assert sum(piece["args"]["bytes"] for piece in pieces) >= 19 * 65_536
    failed = trace.span("application 1", "GET /raise")
    assert failed["args"]["status"] == 500


def test_a_websocket(traced: Traced, file: Path) -> None:
    server = traced()
    with ws.connect(server, "/echo") as socket:
        assert socket.ask("hello") == "hello"
    server.stderr.wait_for("connection closed")
    server.stop()
    trace = Trace(file)
    work = trace.span("application 1", "WebSocket /echo")
    assert work["args"]["status"] == 101
    parts = {part["name"] for part in trace.within(work)}
    assert {"runs", "waits in receive()"} <= parts
    text = trace.span("dispatch", "text")
    assert text["args"]["bytes"] == 5
    assert trace.spans("connection#1", "accept")


def test_the_callers_trace_is_named(traced: Traced, file: Path) -> None:
    server = traced()
    ask(
        server,
        get("/sleep", f"traceparent: 00-{TRACE_ID}-{SPAN_ID}-01"),
        get("/", "traceparent: 00-nonsense"),
    )
    server.stop()
    trace = Trace(file)
    args = trace.span("application 1", "GET /sleep")["args"]
    assert (args["trace_id"], args["span_id"]) == (TRACE_ID, SPAN_ID)
    assert "trace_id" not in trace.span("application 1", "GET /")["args"]


def test_names_from_clients_are_text(traced: Traced, file: Path) -> None:
    server = traced()
    long = "/" + "a" * 500
    ask(server, get("/%22%5C'\\"), get(long))
    server.stop()
    trace = Trace(file)
    names = [span["name"] for span in trace.spans("application 1")]
    assert names == ["GET /%22%5C'\\", f"GET {long[:200]}"]


def test_a_share_of_no_connection_shows_none(traced: Traced, file: Path) -> None:
    server = traced("--trace-sample", "0")
    for _ in range(3):
        ask(server, get("/"))
    server.stop()
    trace = Trace(file)
    assert trace.tracks == {"dispatch", "listener#1"}
    assert trace.spans("dispatch", "turn") and not trace.spans("dispatch", "request")


def test_a_share_of_the_connections(traced: Traced, file: Path) -> None:
    server = traced("--trace-sample", "0.25")
    for _ in range(40):
        ask(server, get("/"))
    server.stop()
    trace = Trace(file)
    shown = {name for name in trace.tracks if name.startswith("connection#")}
    assert 8 <= len(shown) <= 12
    assert len(trace.spans("dispatch", "request")) == len(shown)
    assert len(trace.spans("application 1", "GET /")) == len(shown)


def test_only_the_actors_that_were_named(traced: Traced, file: Path) -> None:
    server = traced("--trace-actors", "connection#2,listener")
    for _ in range(3):
        ask(server, get("/"))
    server.stop()
    trace = Trace(file)
    assert trace.tracks == {"listener#1", "connection#2", "application 1"}
    assert len(trace.spans("application 1", "GET /")) == 1
    # Arrows need both ends.
    assert set(trace.arrows()) == {("connection#2", "listener#1")}


def wait_for_text(file: Path, text: str) -> None:
    """Waits until it has been written. A piece that is being written may be read in part."""
    deadline = Deadline()
    while text not in (said := file.read_text()):
        assert deadline.left(), said


def test_a_crash_leaves_a_whole_file(traced: Traced, file: Path) -> None:
    server = traced()
    ask(server, get("/"))
    wait_for_text(file, '"status":200')
    with server.connect() as wire:
        wire.send(get("/exit"))
        assert server.wait() == 70
    assert Trace(file).spans("dispatch", "request")


def test_a_killed_process_leaves_a_whole_file(traced: Traced, file: Path) -> None:
    server = traced()
    wait_for_text(file, '"name":"listener#1"')
    server.signal(signal.SIGKILL)
    server.wait()
    assert Trace(file).events


def test_a_signal_to_end_completes_the_file(traced: Traced, file: Path) -> None:
    server = traced()
    with server.connect() as wire:
        wire.send(get("/sleep")).response()
        assert server.stop(signal.SIGTERM) == -signal.SIGTERM
    trace = Trace(file)
    assert trace.instants("listener#1")[-1] == "stopped"
    assert trace.instants("connection#1")[-1] == "stopped"
    assert "events dropped" not in trace.instants("dispatch")


def test_a_file_that_cannot_be_written_ends_the_start(
    launch: Start, tmp_path: Path
) -> None:
    path = tmp_path / "missing" / "trace.json"
    server = launch(APP, "--port", "0", "--trace-file", str(path))
    assert server.wait() == 3
    said = f"ERROR:    Cannot write the trace file '{path}': No such file or directory"
    assert said in server.stderr.text


def test_each_worker_has_a_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    server = start(APP, "--workers", "2", "--trace-file", str(file))
    wait_for_workers(server, 2)
    numbers = workers(server)
    ask(server, get("/"))
    server.stop()
    assert {path.name for path in tmp_path.iterdir()} == {
        f"trace.{number}.json" for number in numbers
    }
    traces = [Trace(path) for path in tmp_path.iterdir()]
    assert sum(len(trace.spans("dispatch", "request")) for trace in traces) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            ["--trace-sample", "0.5"],
            "Option '--trace-sample' needs '--trace-file' or '--log-level trace'.",
        ),
        (
            ["--trace-actors", "dispatch"],
            "Option '--trace-actors' needs '--trace-file' or '--log-level trace'.",
        ),
        (
            ["--trace-sample", "2"],
            "Invalid value for '--trace-sample': 2 is not in the range 0<=x<=1.",
        ),
        (
            ["--trace-actors", "worker"],
            "Invalid value for '--trace-actors': 'worker' names no actor; there are 'dispatch', "
            "'listener', 'connection', and single ones like 'connection#42'.",
        ),
    ],
)
def test_usage_errors(launch: Start, options: list[str], error: str) -> None:
    server = launch(APP, *options)
    assert server.wait() == 2
    assert server.stderr.text.endswith(f"Error: {error}\n")


# --- lines ----------------------------------------------------------------------------------------


def test_lines_tell_of_every_event(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--log-level", "trace")
    ask(server, get("/"))
    server.stop()
    lines = server.stderr.lines
    for event in [
        r"listener#1 started",
        r"listener#1 accepted connection#1",
        r"connection#1 started",
        r"connection#1 is open",
        r"connection#1 -> dispatch: request #1",
        r"dispatch <- connection#1: request #1 \(waited \d+\.\d{3} ms\)",
        r"dispatch -> connection#1: response #1, 2 bytes",
        r"connection#1 <- dispatch: response #1, 2 bytes \(waited \d+\.\d{3} ms\)",
        r"connection#1 stopped: (finished|peer gone)",
        r"dispatch -> listener#1: stop",
        r"listener#1 is closing",
        r"listener#1 stopped",
        r"dispatch stopped",
    ]:
        pattern = re.compile(f"TRACE:    {event}")
        found = [line for line in lines if pattern.fullmatch(line)]
        assert len(found) == 1, (event, lines)


def test_lines_of_named_actors(start: Start) -> None:
    server = start(APP, "--log-level", "trace", "--trace-actors", "connection#2")
    for _ in range(2):
        ask(server, get("/"))
    server.stop()
    text = server.stderr.text
    assert "TRACE:    connection#2 started" in text
    assert "TRACE:    connection#1 started" not in text
    assert "TRACE:    dispatch <-" not in text


def test_a_timer_has_a_line(start: Start, placement: Placement) -> None:
    server = start(
        APP, *placement.options, "--log-level", "trace", "--timeout-head", "0.1"
    )
    with server.connect() as wire:
        wire.rest()
    server.stop()
    assert "TRACE:    connection#1 timer: protocol" in server.stderr.lines
