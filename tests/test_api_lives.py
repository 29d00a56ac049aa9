"""Servers whose lives programs arrange for themselves: in threads, in pieces, with signals of
their own."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from typing import Any

import pytest

from harness.deadline import DEADLINE_SECONDS
from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402
from harness.embedded import app, broken, fetch, get, server  # noqa: E402
from smolcorn import errors  # noqa: E402

pytestmark = pytest.mark.usefixtures("clean")


def test_startup_and_shutdown_without_serve() -> None:
    """As test suites do that want no signal handlers."""

    async def main() -> None:
        config = smolcorn.Config(app, port=0, log_config=None)
        one = smolcorn.Server(config)
        if not config.loaded:
            config.load()
        one.lifespan = config.lifespan_class(config)
        await one.startup()
        assert one.started and await fetch(one.urls[0]) == b"/"
        loop = asyncio.create_task(one.main_loop())
        one.should_exit = True
        await loop
        await one.shutdown()
        assert (one.urls, one.started) == ([], True)

    asyncio.run(main())


def test_startup_alone_is_enough() -> None:
    async def main() -> None:
        one = server()
        await one.startup()
        assert one.lifespan is not None and one.lifespan.state == {}
        assert await fetch(one.urls[0]) == b"/"
        await one.shutdown()

    asyncio.run(main())


def test_a_lifespan_that_is_switched_off_tells_nothing() -> None:
    from smolcorn.lifespan import LifespanOff

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await app(scope, receive, send)

    async def main() -> None:
        one = server(silent, lifespan="on")
        one.lifespan = LifespanOff(one.config)
        await one.startup()
        assert await fetch(one.urls[0]) == b"/"
        await one.shutdown()

    asyncio.run(main())


def test_an_inference_server() -> None:
    """It loads the configuration itself, has a socket, handles signals on the loop, and
    cancels the server; only then it shuts it down."""

    async def main() -> None:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        config = smolcorn.Config(app, port=1, log_config=None)
        config.h11_max_incomplete_event_size = 1 << 20
        config.h11_max_header_count = 512
        config.load()
        one = smolcorn.Server(config)
        loop = asyncio.get_running_loop()
        task = loop.create_task(one.serve(sockets=[bound]))
        await one.wait_started()
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            assert await fetch(f"{url}/completions") == b"/completions"
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(asyncio.CancelledError):
                await task
            await one.shutdown()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
        with pytest.raises(OSError):
            await fetch(url)

    asyncio.run(main())


def test_signals_are_left_alone_in_other_threads_and_by_request() -> None:
    seen: list[Any] = []

    async def watched(one: smolcorn.Server) -> None:
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        seen.append(signal.getsignal(signal.SIGTERM))
        one.should_exit = True
        await task

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: asyncio.run(watched(server())))
    thread.start()
    thread.join(DEADLINE_SECONDS)
    quiet = server()
    quiet.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    asyncio.run(watched(quiet))
    assert seen == [before, before]
    asyncio.run(watched(server()))
    assert seen[2] != before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_with_a_socket_of_the_program() -> None:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    one = server()
    thread = threading.Thread(target=one.run, kwargs={"sockets": [bound]})
    thread.start()
    while not one.started:
        assert thread.is_alive()
        time.sleep(0.01)
    assert get(url) == b"/"
    one.should_exit = True
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive() and bound.fileno() == -1


def test_a_thread_that_cannot_start() -> None:
    one = server(broken)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            one.run()
        except errors.StartupError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    with pytest.raises(errors.LifespanError):
        one.wait_started_blocking(DEADLINE_SECONDS)
    thread.join(DEADLINE_SECONDS)
    assert [type(error) for error in raised] == [errors.LifespanError]
    with pytest.raises(TimeoutError, match="not started after 0.01 s"):
        server().wait_started_blocking(0.01)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")],
)
def test_urls_can_be_asked_from_here(host: str, shown: str) -> None:
    async def main() -> None:
        async with server(host=host) as one:
            [url] = one.urls
            assert url.startswith(f"http://{shown}:")
            assert await fetch(url) == b"/"

    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    asyncio.run(main())


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_the_limit_of_requests_has_its_jitter() -> None:
    one = server(limit_max_requests=2, limit_max_requests_jitter=3)
    limit = one.limit_max_requests
    assert limit is not None and 2 <= limit <= 5 and one.limit_max_requests == limit
    assert server().limit_max_requests is None

    async def main() -> None:
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        for _ in range(limit):
            assert await fetch(one.urls[0]) == b"/"
        await asyncio.wait_for(task, DEADLINE_SECONDS)
        assert one.server_state.total_requests == limit

    asyncio.run(main())
