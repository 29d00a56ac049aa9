"""When certificates are read, and what is said of it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

import pytest

from smolcorn import certificates
from smolcorn.errors import EXIT_STARTUP, StartupError

from .conftest import Lines
from .fake_core import NativeConfig, Tls, settings

RELOADED = "INFO Certificates reloaded"


def with_tls(tls: Tls | ValueError | None) -> certificates.Settings:
    return settings("m:a", native=NativeConfig(tls=tls))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20) if hasattr(asyncio, "timeout") else _NoLimit():
        while not condition():
            await asyncio.sleep(0.001)


class _NoLimit:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


def test_without_tls_nothing_is_done(logs: Lines) -> None:
    certificates.load(with_tls(None))
    before = signal.getsignal(signal.SIGHUP)
    with certificates.kept_fresh(with_tls(None), on_signal=True):
        assert signal.getsignal(signal.SIGHUP) is before
    assert logs.lines == []


def test_what_is_wrong_ends_the_start() -> None:
    with pytest.raises(StartupError, match="no such key") as raised:
        certificates.load(with_tls(ValueError("no such key")))
    assert raised.value.exit_code == EXIT_STARTUP


def test_what_is_odd_is_said(logs: Lines) -> None:
    certificates.load(with_tls(Tls(None, warning="odd ciphers")))
    assert logs.lines == ["WARNING odd ciphers"]


def test_change_is_read_once(logs: Lines) -> None:
    tls = Tls(0.001)

    async def live() -> None:
        with certificates.kept_fresh(with_tls(tls), on_signal=False):
            await asyncio.sleep(0.01)
            assert tls.reloads == 0
            tls.changed = True
            await until(lambda: logs.lines == [RELOADED])
            tls.changed, tls.error = True, ValueError("bad")
            await until(lambda: len(logs.lines) == 2)

    asyncio.run(live())
    assert logs.lines == [RELOADED, "ERROR Certificates not reloaded: bad"]
    assert tls.reloads == 2


def test_signal_reads_at_once_and_is_given_back(logs: Lines) -> None:
    tls = Tls(None)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL

    async def live() -> None:
        with certificates.kept_fresh(with_tls(tls), on_signal=True):
            signal.raise_signal(signal.SIGHUP)
            await until(lambda: logs.lines == [RELOADED])

    asyncio.run(live())
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_signal_that_somebody_else_handles_is_left_alone() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    tls = Tls(None)
    try:

        async def live() -> None:
            with certificates.kept_fresh(with_tls(tls), on_signal=True):
                signal.raise_signal(signal.SIGHUP)

        asyncio.run(live())
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    assert heard == [signal.SIGHUP] and tls.reloads == 0


def test_outside_the_main_thread_there_are_no_signals() -> None:
    failures: list[BaseException] = []

    async def live() -> None:
        with certificates.kept_fresh(with_tls(Tls(None)), on_signal=True):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == []
