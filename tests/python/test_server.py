"""The life of a server, on a core that the test plays."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import selectors
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smolcorn import draining, loops, process
from smolcorn.errors import StartupError
from smolcorn.interfaces import Application
from smolcorn.server import Server
from smolcorn.server_config import SettledConfig

from .conftest import Lines
from .fake_core import Core, Engine, NativeConfig, Socket, settings

PID = os.getpid()
STARTED = f"INFO Started server process [{PID}]"
STARTUP = [
    "INFO Waiting for application startup.",
    "INFO Application startup complete.",
]
BANNER = "INFO Smolcorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)"
DOWN = "INFO Shutting down"
CONNECTIONS = "INFO Waiting for connections to close. (CTRL+C to force quit)"
TASKS = "INFO Waiting for background tasks to complete. (CTRL+C to force quit)"
SHUTDOWN = [
    "INFO Waiting for application shutdown.",
    "INFO Application shutdown complete.",
]
FINISHED = f"INFO Finished server process [{PID}]"

Prepare = Callable[[Engine], None]


async def app(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        scope["state"]["seen"] = message["type"]
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


APP = Application(app, "asgi3")


@pytest.fixture(params=["asyncio", "uvloop"])
def factory(request: pytest.FixtureRequest) -> loops.LoopFactory:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return loops.loop_factory(request.param)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nothing is said about waiting."""
    monkeypatch.setattr(draining, "PATIENCE_SECONDS", 3600)


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "PATIENCE_SECONDS", 0)


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


def soon(function: Callable[..., object], *args: object) -> Prepare:
    """For `Engine.react`: calls the function in a later turn of the loop."""
    return lambda engine: engine.loop.call_soon(function, *args)


def interrupt(count: int = 1) -> None:
    for _ in range(count):
        signal.raise_signal(signal.SIGINT)


def on_start(*steps: Prepare) -> Callable[[Engine], None]:
    """For `Core.prepare`: does the steps when the engine starts."""

    def start(engine: Engine) -> None:
        for step in steps:
            step(engine)

    def prepare(engine: Engine) -> None:
        engine.react["start"] = start

    return prepare


def busy(connections: int, tasks: int) -> Prepare:
    def step(engine: Engine) -> None:
        engine.connections, engine.tasks = connections, tasks

    return step


def run(
    factory: loops.LoopFactory, application: Application = APP, **options: Any
) -> int:
    one = made(factory, application, **options)
    one.owns_process = True
    try:
        one.run()
    except StartupError as error:
        return error.exit_code
    return 0


def made(
    factory: loops.LoopFactory, application: Application = APP, **options: Any
) -> Server:
    """A server whose application is there already."""
    config = SettledConfig(settings(loop=factory, **options))
    config.loaded, config.loaded_app = True, application.call
    config._interface = application.interface
    return Server(config)


def test_a_normal_life(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    core.prepare = on_start(soon(interrupt))
    assert run(factory) == 0
    assert logs.lines == [STARTED, *STARTUP, BANNER, DOWN, *SHUTDOWN, FINISHED]
    assert core.engine is not None
    assert core.engine.calls == ["start", "stop", "close"]
    assert core.sockets[0].closed
    assert core.engine.app is app
    assert core.engine.state == {"seen": "lifespan.shutdown"}


def test_colours_of_the_lines(core: type[Core], logs: Lines) -> None:
    core.sockets = [
        Socket("http://127.0.0.1:8000"),
        Socket("https://[::1]:8000"),
        Socket("https://[::1]:8000"),
        Socket("unix socket /x"),
    ]
    core.prepare = on_start(soon(interrupt))
    run(asyncio.new_event_loop)
    shown = [
        record.color_message % record.args
        for record in logs.records
        if hasattr(record, "color_message")
    ]
    tail = "(Press CTRL+C to quit)"
    assert shown == [
        f"Started server process [\x1b[36m{PID}\x1b[0m]",
        f"Smolcorn running on \x1b[1mhttp://127.0.0.1:8000\x1b[0m {tail}",
        f"Smolcorn running on \x1b[1mhttps://[::1]:8000\x1b[0m {tail}",
        f"Smolcorn running on unix socket /x {tail}",
        f"Finished server process [\x1b[36m{PID}\x1b[0m]",
    ]
    assert all(socket.closed for socket in core.sockets)


def test_what_the_core_is_told(core: type[Core]) -> None:
    core.prepare = on_start(soon(interrupt))
    asgi2 = Application(app, "asgi2")
    run(
        asyncio.new_event_loop,
        asgi2,
        lifespan="off",
        limit_max_requests=10,
        limit_max_requests_jitter=5,
    )
    assert core.engine is not None
    told = core.engine.settings
    assert told.interface == "asgi2"
    assert told.limit_max_requests is not None
    assert 10 <= told.limit_max_requests <= 15
    assert told.limit_max_requests_jitter == 0
    assert core.engine.state == {}


def test_threads_by_themselves_are_told(core: type[Core], logs: Lines) -> None:
    def threads(engine: Engine) -> None:
        engine.placement = "threads"

    core.prepare = on_start(threads, soon(interrupt))
    run(asyncio.new_event_loop)
    line = "INFO The event loop cannot watch descriptors. Using I/O threads instead."
    assert logs.lines.index(line) == logs.lines.index(BANNER) - 1
    logs.lines.clear()
    run(asyncio.new_event_loop, io_threads=1)
    assert line not in logs.lines


def test_the_socket_cannot_be_had(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    text = "error while attempting to bind on address ('127.0.0.1', 1): address in use"
    core.bind_error = OSError(98, text)
    assert run(factory) == 3
    assert logs.lines == [STARTED, *STARTUP, f"ERROR [Errno 98] {text}", *SHUTDOWN]
    assert core.engine is None


def test_the_application_cannot_start(core: type[Core], logs: Lines) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    assert run(asyncio.new_event_loop, Application(broken, "asgi3")) == 3
    assert logs.lines == [
        STARTED,
        STARTUP[0],
        "ERROR no database",
        "ERROR Application startup failed. Exiting.",
    ]


def test_the_limit_of_requests(core: type[Core], logs: Lines) -> None:
    core.prepare = on_start(lambda engine: engine.loop.call_soon(engine.on_limit))
    assert run(asyncio.new_event_loop, limit_max_requests=7) == 0
    line = "INFO Maximum request limit of 7 exceeded. Terminating process."
    assert logs.lines[4:6] == [line, DOWN]
    assert logs.lines[-1] == FINISHED


def test_connections_and_tasks_are_waited_for(
    core: type[Core],
    factory: loops.LoopFactory,
    logs: Lines,
    impatient: None,
) -> None:
    class Follow(logging.Handler):
        """Ends what the server says that it waits for."""

        def emit(self, record: logging.LogRecord) -> None:
            engine = core.engine
            text = record.getMessage()
            if engine is None or not text.startswith("Waiting for "):
                return
            if "connections" in text:
                engine.connections = 0
            elif "tasks" in text:
                engine.tasks = 0
            engine.on_idle()

    follow = Follow()
    logging.getLogger("uvicorn").addHandler(follow)
    core.prepare = on_start(busy(1, 1), soon(interrupt))
    assert run(factory) == 0
    assert logs.lines[4:] == [DOWN, CONNECTIONS, TASKS, *SHUTDOWN, FINISHED]
    assert core.engine is not None
    assert core.engine.calls == ["start", "stop", "close"]


def test_what_ends_quickly_is_not_mentioned(core: type[Core], logs: Lines) -> None:
    def prepare(engine: Engine) -> None:
        on_start(busy(2, 2), soon(interrupt))(engine)
        engine.react["stop"] = soon(engine.drained)

    core.prepare = prepare
    assert run(asyncio.new_event_loop) == 0
    assert logs.lines[4:] == [DOWN, *SHUTDOWN, FINISHED]


def test_connections_that_a_listener_accepts_as_it_stops_are_waited_for(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    turns: list[str] = []

    def accept(engine: Engine) -> None:
        turns.append("accepted")
        engine.connections = 1
        engine.on_idle()
        engine.loop.call_soon(serve, engine)

    def serve(engine: Engine) -> None:
        turns.append("served")
        engine.drained()

    def stop(engine: Engine) -> None:
        engine.listeners = 1
        engine.loop.call_soon(accept, engine)

    def prepare(engine: Engine) -> None:
        on_start(soon(interrupt))(engine)
        engine.react["stop"] = stop
        engine.react["close"] = lambda _: turns.append("closed")

    core.prepare = prepare
    assert run(factory) == 0
    assert turns == ["accepted", "served", "closed"]
    assert logs.lines[4:] == [DOWN, *SHUTDOWN, FINISHED]


def test_the_time_for_a_graceful_shutdown(
    core: type[Core],
    factory: loops.LoopFactory,
    logs: Lines,
    impatient: None,
) -> None:
    reason = "timeout graceful shutdown exceeded"

    def prepare(engine: Engine) -> None:
        on_start(busy(2, 3), soon(interrupt))(engine)
        engine.react[f"cancel_tasks Task cancelled, {reason}"] = soon(engine.drained)

    core.prepare = prepare
    assert run(factory, timeout_graceful_shutdown=0.05) == 0
    assert logs.lines[4:] == [
        DOWN,
        CONNECTIONS,
        f"ERROR Cancel 3 running task(s), {reason}",
        *SHUTDOWN,
        FINISHED,
    ]
    assert core.engine is not None
    assert core.engine.calls == [
        "start",
        "stop",
        "disconnect_streams",
        f"cancel_tasks Task cancelled, {reason}",
        "close",
    ]


def test_requests_that_refuse_to_be_cancelled_are_cut_off(
    core: type[Core],
    logs: Lines,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draining, "CANCEL_SECONDS", 0.001)
    core.prepare = on_start(busy(0, 1), soon(interrupt))
    assert run(asyncio.new_event_loop, timeout_graceful_shutdown=0) == 0
    assert logs.lines[-3:] == [*SHUTDOWN, FINISHED]
    assert core.engine is not None
    assert core.engine.calls[-2:] == ["abort", "close"]


def test_streams_that_end_when_told_are_not_cancelled(
    core: type[Core], impatient: None
) -> None:
    def prepare(engine: Engine) -> None:
        on_start(busy(1, 1), soon(interrupt))(engine)
        engine.react["disconnect_streams"] = soon(engine.drained)

    core.prepare = prepare
    assert run(asyncio.new_event_loop, timeout_graceful_shutdown=1) == 0
    assert core.engine is not None
    assert core.engine.calls == ["start", "stop", "disconnect_streams", "close"]


def test_a_second_signal_forces(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    def prepare(engine: Engine) -> None:
        on_start(busy(1, 1), soon(interrupt))(engine)
        engine.react["stop"] = soon(interrupt)
        forced = "cancel_tasks Task cancelled, server was forced to quit"
        engine.react[forced] = soon(engine.drained)

    core.prepare = prepare
    assert run(factory) == 0
    assert logs.lines[4:] == [DOWN, FINISHED]
    assert core.engine is not None
    assert core.engine.calls == [
        "start",
        "stop",
        "cancel_tasks Task cancelled, server was forced to quit",
        "close",
    ]


def test_a_second_signal_ends_the_shutdown_of_the_application(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.Event().wait()

    core.prepare = on_start(soon(interrupt))
    assert run(factory, Application(slow, "asgi3")) == 0
    assert logs.lines[4:] == [DOWN, SHUTDOWN[0], FINISHED]


def test_a_signal_interrupts_start_up(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.Event().wait()

    assert run(factory, Application(slow, "asgi3")) == 0
    assert logs.lines == [
        STARTED,
        STARTUP[0],
        "INFO Application startup interrupted.",
        FINISHED,
    ]
    assert core.engine is None


def test_a_second_signal_ends_a_start_up_that_refuses_to_be_interrupted(
    core: type[Core], logs: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "CANCEL_SECONDS", 0.001)

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asyncio.get_running_loop().call_soon(interrupt)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_soon(interrupt)
            await asyncio.Event().wait()

    assert run(asyncio.new_event_loop, Application(stubborn, "asgi3")) == 0
    assert logs.lines[2:] == ["INFO Application startup interrupted.", FINISHED]


def test_an_application_that_starts_in_spite_of_a_signal_is_shut_down(
    core: type[Core], logs: Lines
) -> None:
    async def busy_app(scope: Any, receive: Any, send: Any) -> None:
        interrupt()
        await app(scope, receive, send)

    assert run(asyncio.new_event_loop, Application(busy_app, "asgi3")) == 0
    assert logs.lines == [STARTED, *STARTUP, *SHUTDOWN, FINISHED]
    assert core.engine is None


def test_handlers_are_restored_and_signals_delivered_to_them(
    core: type[Core], factory: loops.LoopFactory
) -> None:
    delivered: list[int] = []
    old = {
        number: signal.signal(number, lambda number, frame: delivered.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        mine = signal.getsignal(signal.SIGTERM)

        def both() -> None:
            assert signal.getsignal(signal.SIGTERM) is not mine
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

        core.prepare = on_start(soon(both))
        assert run(factory) == 0
        assert signal.getsignal(signal.SIGTERM) is mine
        assert delivered == [signal.SIGTERM, signal.SIGINT]
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def test_handle_exit_is_looked_up_when_the_signal_comes(
    core: type[Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    original = Server.handle_exit

    def patched(self: Server, number: int, frame: Any) -> None:
        seen.append(number)
        original(self, number, frame)

    def patch_then_interrupt() -> None:
        monkeypatch.setattr(Server, "handle_exit", patched)
        interrupt()

    core.prepare = on_start(soon(patch_then_interrupt))
    assert run(asyncio.new_event_loop) == 0
    assert seen == [signal.SIGINT]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="POSIX signals")
def test_a_signal_that_does_not_interrupt_the_wait_wakes_the_loop(
    core: type[Core],
) -> None:
    waits = threading.Event()

    class Selector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> Any:
            if core.engine is not None and timeout is None:
                waits.set()
            return super().select(timeout)

    def send() -> None:
        waits.wait()
        # To this thread: the main one goes on waiting.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert run(lambda: asyncio.SelectorEventLoop(Selector())) == 0
    finally:
        waits.set()
        thread.join()
    assert signal.set_wakeup_fd(-1) == -1


def test_another_thread_stops_a_server_in_a_thread(
    core: type[Core], factory: loops.LoopFactory, logs: Lines
) -> None:
    one = made(factory)
    ready = threading.Event()
    core.prepare = on_start(lambda engine: engine.loop.call_soon(ready.set))
    handler = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=one.run)
    thread.start()
    assert ready.wait(30)
    assert signal.getsignal(signal.SIGINT) is handler
    one.should_exit = True
    thread.join(30)
    assert not thread.is_alive()
    assert one.started and logs.lines[-1] == FINISHED


async def serving(core: type[Core]) -> tuple[Server, asyncio.Task[None]]:
    """A server on the running loop that has started, or ended before it could."""
    ready = asyncio.Event()
    core.prepare = on_start(soon(ready.set))
    one = Server(SettledConfig(settings(f"{__name__}:app")))
    task = asyncio.create_task(one.serve())
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return one, task


def test_serve_runs_on_a_loop_that_is_there(core: type[Core], logs: Lines) -> None:
    frozen = gc.get_freeze_count()

    async def main() -> None:
        one, task = await serving(core)
        assert one.started
        interrupt()
        await task

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert signal.set_wakeup_fd(-1) == -1
    assert logs.lines == [STARTED, *STARTUP, BANNER, DOWN, *SHUTDOWN, FINISHED]
    assert gc.get_freeze_count() == frozen


def test_a_cancelled_serve_leaves_nothing_behind(core: type[Core], logs: Lines) -> None:
    async def main() -> None:
        one, task = await serving(core)
        assert one.started
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert core.engine is not None
    assert core.engine.calls == ["start", "stop", "close"]
    assert core.sockets[0].closed
    assert logs.lines == [STARTED, *STARTUP, BANNER]


def test_a_cancelled_serve_may_be_shut_down(core: type[Core], logs: Lines) -> None:
    async def main() -> None:
        one, task = await serving(core)
        assert core.engine is not None
        core.engine.connections = 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert core.engine.calls == ["start", "stop"]
        asyncio.get_running_loop().call_soon(core.engine.drained)
        await one.shutdown()
        await one.shutdown()

    asyncio.run(main())
    assert core.engine is not None
    assert core.engine.calls == ["start", "stop", "stop", "close"]
    assert logs.lines == [STARTED, *STARTUP, BANNER, DOWN, *SHUTDOWN]


def test_the_collector_skips_what_start_up_made(core: type[Core]) -> None:
    counts: list[int] = []
    core.prepare = on_start(
        lambda _: counts.append(gc.get_freeze_count()), soon(interrupt)
    )
    run(asyncio.new_event_loop)
    assert counts[0] > 0


# run(): from settings to a status.


def status(name: str, **options: Any) -> int:
    return process.run(settings(f"{__name__}:{name}", **options))


def factory_that_exits() -> None:
    sys.exit(factory_that_exits.status)  # type: ignore[attr-defined]


def factory_that_raises() -> None:
    raise LookupError("no database")


def factory_that_is_interrupted() -> None:
    raise KeyboardInterrupt


def test_run(core: type[Core], capfd: pytest.CaptureFixture[str]) -> None:
    core.prepare = on_start(soon(interrupt))
    assert status("app", use_colors=False) == 0
    assert capfd.readouterr().err.splitlines() == [
        line.replace("INFO ", "INFO:     ")
        for line in (STARTED, *STARTUP, BANNER, DOWN, *SHUTDOWN, FINISHED)
    ]


def test_app_dir_comes_first(core: type[Core], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    assert status("nope", app_dir="/no/such/directory") == 3
    assert sys.path[0] == "/no/such/directory"


def test_errors_are_one_line_and_a_status(
    core: type[Core], capfd: pytest.CaptureFixture[str]
) -> None:
    assert status("nope") == 3
    assert capfd.readouterr().err == (
        "ERROR:    Error loading ASGI app. "
        f'Attribute "nope" not found in module "{__name__}". '
        f'Did you mean "{__name__}:app"?\n'
    )
    assert status("app", loop="foo") == 3
    assert capfd.readouterr().err == (
        "ERROR:    Error loading custom loop setup function. "
        'Import string "foo" must be in format "<module>:<attribute>". '
        "The loops with a name are auto, asyncio, uvloop and none.\n"
    )
    assert status("PID") == 1
    capfd.readouterr()
    core.late_error = ValueError("No workers.")
    assert status("app") == 2
    assert capfd.readouterr().err == "ERROR:    No workers.\n"
    assert status("app", log_config="none.json") == 1
    assert capfd.readouterr().err == (
        "ERROR:    Error in log config 'none.json': "
        "[Errno 2] No such file or directory: 'none.json'\n"
    )


def test_what_the_application_raises_is_a_traceback(
    core: type[Core], capfd: pytest.CaptureFixture[str]
) -> None:
    assert status("factory_that_raises") == 1
    shown = capfd.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("LookupError: no database\n")


@pytest.mark.parametrize(("code", "expected"), [(None, 0), (5, 5), ("words", 1)])
def test_the_application_exits(
    core: type[Core], code: Any, expected: int, capfd: pytest.CaptureFixture[str]
) -> None:
    factory_that_exits.status = code  # type: ignore[attr-defined]
    assert status("factory_that_exits", factory=True) == expected
    assert capfd.readouterr().err == ("words\n" if code == "words" else "")


def test_what_a_supervisor_shows_of_an_exit_begins_with_the_users_code(
    core: type[Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(process.worker, "report_failure", told.append)
    factory_that_exits.status = "words"  # type: ignore[attr-defined]
    assert status("factory_that_exits", factory=True) == 1
    [text] = told
    assert text.count("  File ") == 1
    assert "in factory_that_exits" in text
    assert text.endswith("SystemExit: words\n")


def test_options_that_one_worker_cannot_fulfil_are_told(
    core: type[Core], logs: Lines
) -> None:
    core.prepare = on_start(soon(interrupt))
    native = NativeConfig(dropped=("--preload",))
    assert run(asyncio.new_event_loop, native=native) == 0
    assert logs.lines[0] == (
        "WARNING Option '--preload' needs more than one worker, and WEB_CONCURRENCY "
        "asks for one: it does nothing."
    )


def test_an_interrupted_import(core: type[Core]) -> None:
    assert status("factory_that_is_interrupted", factory=True) == 0


def test_nothing_polls(core: type[Core]) -> None:
    """While it serves, the loop has no timer and nothing that is ready to run."""
    seen: list[object] = []

    def look(engine: Engine, turns: int) -> None:
        if turns:
            engine.loop.call_soon(look, engine, turns - 1)
            return
        seen.extend((list(engine.loop._scheduled), list(engine.loop._ready)))
        interrupt()

    core.prepare = on_start(lambda engine: look(engine, 10))
    run(asyncio.SelectorEventLoop)
    assert seen == [[], []]
