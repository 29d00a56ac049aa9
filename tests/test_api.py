"""`smolcorn.Server` in programs, on the native core."""

import asyncio
import gc
import logging
import signal
import socket
import threading
import urllib.request
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.certificates import Authority
from harness.deadline import DEADLINE_SECONDS
from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402
from harness.embedded import app, broken, fetch, get, server  # noqa: E402
from smolcorn import errors  # noqa: E402

pytestmark = pytest.mark.usefixtures("clean")


def test_inside_the_block_it_serves_and_says_where() -> None:
    async def main() -> None:
        async with server() as one:
            [url] = one.urls
            assert await fetch(f"{url}/path") == b"/path"
            port = one.servers[0].sockets[0].getsockname()[1]
            assert url == f"http://127.0.0.1:{port}"
            assert one.started
            assert one.lifespan is not None and not one.lifespan.should_exit
            assert one.config.ssl is None
        assert (one.urls, one.servers[0].sockets) == ([], ())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    asyncio.run(main())


def test_the_block_does_not_hide_an_error() -> None:
    async def main() -> None:
        async with server():
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(main())


def test_signals_in_the_block_are_the_programs() -> None:
    async def main() -> None:
        before = signal_handler()
        async with server():
            assert signal_handler() is before

    def signal_handler() -> Any:

        return signal.getsignal(signal.SIGTERM)

    asyncio.run(main())


@pytest.mark.filterwarnings("error")
def test_run_in_a_loop_is_an_error_that_can_be_caught() -> None:
    one = server()

    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"use 'await server\.serve\(\)' there"):
            one.run()
        use = r"'await smolcorn\.Server\(smolcorn\.Config\(\.\.\.\)\)\.serve\(\)'"
        with pytest.raises(RuntimeError, match=rf"^smolcorn\.run\(\) .* {use} there"):
            smolcorn.run(app, port=0, log_config=None)
        async with one:
            assert await fetch(f"{one.urls[0]}/") == b"/"

    asyncio.run(main())
    gc.collect()


def test_serve_in_a_loop_that_runs_with_its_counts() -> None:
    async def main() -> None:
        waits = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await waits.wait()
            await app(scope, receive, send)

        one = server(slow, lifespan="off")
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        state = one.server_state
        assert (state.total_requests, len(state.connections)) == (0, 0)
        assert state.tasks == set()
        answer = asyncio.create_task(fetch(one.urls[0]))
        while not state.tasks:
            await asyncio.sleep(0.01)
        [running] = state.tasks
        assert not running.done() and len(state.connections) == 1
        waits.set()
        assert await answer == b"/"
        assert state.total_requests == 1
        one.should_exit = True
        await task
        assert one.started

    asyncio.run(main())


def test_sockets_that_are_bound_but_do_not_listen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        given = [socket.socket(), socket.socket()]
        for one in given:
            one.bind(("127.0.0.1", 0))
        serving = server(port=None)
        task = asyncio.create_task(serving.serve(sockets=given))
        await serving.wait_started()
        assert len(serving.servers) == 2
        for one in given:
            port = one.getsockname()[1]
            assert await fetch(f"http://127.0.0.1:{port}/") == b"/"
        serving.should_exit = True
        await task
        assert [one.fileno() for one in given] == [-1, -1]

    with caplog.at_level(logging.INFO, "uvicorn.error"):
        asyncio.run(main())
    assert "Application startup complete." in caplog.messages
    assert not any("running on" in message for message in caplog.messages)


def test_a_socket_that_the_configuration_binds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = smolcorn.Config(app, port=0, log_config=None)
    with caplog.at_level(logging.INFO, "uvicorn.error"):
        bound = config.bind_socket()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    assert caplog.messages == [f"Smolcorn running on {url} (Press CTRL+C to quit)"]

    async def main() -> None:
        one = smolcorn.Server(config)
        task = asyncio.create_task(one.serve(sockets=[bound]))
        await one.wait_started()
        assert await fetch(url) == b"/"
        one.should_exit = True
        await task

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_a_unix_socket(tmp_path: Path) -> None:
    async def main() -> None:
        async with server(uds=tmp_path / "app.sock") as one:
            path = str(tmp_path / "app.sock").replace("/", "%2F")
            assert one.urls == [f"http+unix://{path}"]
            connection = socket.socket(socket.AF_UNIX)
            with connection:
                connection.connect(str(tmp_path / "app.sock"))
        assert not (tmp_path / "app.sock").exists()

    asyncio.run(main())


def test_tls(authority: Authority) -> None:
    issued = authority.issue("localhost")
    context = authority.context()

    async def main() -> None:
        files = {"ssl_certfile": issued.certfile, "ssl_keyfile": str(issued.keyfile)}
        async with server(**files) as one:
            url = one.urls[0].replace("127.0.0.1", "localhost")
            assert url.startswith("https://")
            answer = await asyncio.to_thread(
                urllib.request.urlopen, url, context=context
            )
            assert answer.read() == b"/"

    asyncio.run(main())
    with pytest.raises(errors.ConfigError, match="--ssl-certfile"):
        server(ssl_certfile="no/such/file").run()


def test_in_a_thread() -> None:
    one = server()
    thread = threading.Thread(target=one.run)
    thread.start()
    one.wait_started_blocking(DEADLINE_SECONDS)
    assert one.started
    assert get(one.urls[0]) == b"/"
    one.should_exit = True
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_waiting_from_another_loop() -> None:
    one = server()
    thread = threading.Thread(target=one.run)
    thread.start()
    asyncio.run(one.wait_started())
    one.should_exit = one.force_exit = True
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_a_port_in_use_is_a_typed_error() -> None:
    async def main() -> None:
        async with server() as first:
            port = first.servers[0].sockets[0].getsockname()[1]
            second = server(port=port)
            task = asyncio.create_task(second.serve())
            with pytest.raises(errors.BindError) as caught:
                await second.wait_started()
            assert caught.value.exit_code == 3
            assert isinstance(caught.value, OSError)
            with pytest.raises(errors.BindError):
                await task
            with pytest.raises(errors.BindError):
                async with server(port=port):
                    pytest.fail("it has started")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("application", "error"),
    [
        (broken, errors.LifespanError),
        ("nope:app", errors.AppError),
        (5, errors.AppError),
    ],
)
def test_an_application_that_does_not_start(application: Any, error: Any) -> None:
    with pytest.raises(error):
        asyncio.run(server(application).serve())
    with pytest.raises(error):
        server(application).run()


async def raises(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError("no database")


async def says_so_and_raises(scope: Any, receive: Any, send: Any) -> None:
    """As Starlette does."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "Traceback\n ..."})
    raise LookupError("no database")


@pytest.mark.parametrize("application", [raises, says_so_and_raises])
def test_the_error_of_a_failed_start_has_its_cause(application: Any) -> None:
    with pytest.raises(errors.LifespanError) as caught:
        server(application).run()
    assert str(caught.value) == "Application startup failed."
    assert repr(caught.value.__cause__) == "LookupError('no database')"


def test_the_error_of_a_failed_start_has_the_words_of_the_application() -> None:
    with pytest.raises(errors.LifespanError) as caught:
        server(broken).run()
    assert str(caught.value) == "Application startup failed: no database"
    assert caught.value.__cause__ is None


def test_a_server_serves_once() -> None:
    async def main() -> Callable[[], None]:
        one = server()
        async with one:
            with pytest.raises(
                RuntimeError, match="^A Server serves once: make another"
            ):
                await one.serve()
            assert await fetch(f"{one.urls[0]}/still") == b"/still"
        again = (one.__aenter__, one.serve, one.startup)
        for start in again:
            with pytest.raises(RuntimeError, match="^A Server serves once"):
                await start()
        by_hand = server()
        await by_hand.startup()
        with pytest.raises(RuntimeError, match="^A Server serves once"):
            await by_hand.serve()
        await by_hand.shutdown()
        return one.run

    run_again = asyncio.run(main())
    with pytest.raises(RuntimeError, match="^A Server serves once"):
        run_again()


def test_waiting_for_one_that_is_stopped_before() -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def hangs(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            started.set()
            await asyncio.Event().wait()

        one = server(hangs)
        task = asyncio.create_task(one.serve())
        await started.wait()
        one.should_exit = True
        with pytest.raises(errors.StartupError, match="stopped before it had started"):
            await one.wait_started()
        await task

    asyncio.run(main())


def test_a_cancelled_serve_and_then_shutdown() -> None:
    async def main() -> None:
        waits = asyncio.Event()
        inside = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                inside.set()
                await waits.wait()
            await app(scope, receive, send)

        one = server(slow)
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        url = one.urls[0]
        answer = asyncio.create_task(fetch(url))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        down = asyncio.create_task(one.shutdown())
        waits.set()
        assert await answer == b"/"
        await down

    asyncio.run(main())


def test_hooks_of_subclasses() -> None:
    calls: list[str] = []

    class Mine(smolcorn.Server):
        def install_signal_handlers(self) -> None:
            calls.append("install")

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            calls.append(f"startup {self.started}")

        async def main_loop(self) -> None:
            calls.append("main_loop")
            await super().main_loop()

        async def on_tick(self, counter: int) -> bool:
            calls.append(f"tick {counter}")
            return counter == 2

        async def shutdown(self, sockets: Any = None) -> None:
            calls.append("shutdown")
            await super().shutdown(sockets=sockets)

    Mine(smolcorn.Config(app, port=0, log_config=None)).run()
    assert calls == [
        "install",
        "startup True",
        "main_loop",
        "tick 0",
        "tick 1",
        "tick 2",
        "shutdown",
    ]


def test_callback_notify() -> None:
    calls: list[int] = []

    async def notify() -> None:
        calls.append(len(calls))
        one.should_exit = len(calls) == 2

    one = server(timeout_notify=0, callback_notify=notify)
    one.run()
    assert calls == [0, 1]


def test_handle_exit_is_looked_up_at_the_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def handle_exit(self: Any, sig: int, frame: Any) -> None:
        seen.append(sig)
        self.should_exit = True

    async def main() -> None:

        one = server()
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        monkeypatch.setattr(smolcorn.Server, "handle_exit", handle_exit)
        signal.raise_signal(signal.SIGTERM)
        await task
        assert seen == [signal.SIGTERM]

    asyncio.run(main())


def test_a_server_that_has_ended_is_let_go_of() -> None:
    async def main() -> tuple[weakref.ref[Any], weakref.ref[Any]]:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        async with server(application) as one:
            await fetch(f"{one.urls[0]}/path")
        return weakref.ref(application), weakref.ref(one)

    left = asyncio.run(main())
    gc.collect()
    assert [reference() for reference in left] == [None, None]
