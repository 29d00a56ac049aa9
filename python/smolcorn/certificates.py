"""Certificates: read at the start, and again when their files change or a signal asks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smolcorn.config import Settings
from smolcorn.errors import EXIT_STARTUP, ConfigError

if TYPE_CHECKING:
    from smolcorn._core import Tls

_logger = logging.getLogger("uvicorn.error")


def load(settings: Settings) -> Tls | None:
    """Reads the files that the settings name; None if there is no TLS.

    Raises ConfigError.
    """
    try:
        tls = settings.native.load_tls()
    except ValueError as error:
        raise ConfigError(str(error), EXIT_STARTUP) from None
    if tls is not None and tls.warning is not None:
        _logger.warning("%s", tls.warning)
    return tls


@contextlib.contextmanager
def kept_fresh(settings: Settings, *, on_signal: bool) -> Iterator[None]:
    """Has changed files read again, and with `on_signal` all of them on SIGHUP."""
    tls = settings.native.load_tls()
    if tls is None:
        yield
        return
    keeper = _Keeper(tls)
    keeper.start()
    try:
        with _hangups(keeper) if on_signal else contextlib.nullcontext():
            yield
    finally:
        keeper.stop()


class _Keeper:
    """Looks at the files from time to time."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._timer: asyncio.TimerHandle | None = None
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Looks, and will again. On the loop's thread."""
        if self._tls.reload_interval is not None:
            if self._timer is not None and self._tls.has_changed():
                self.reload()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._tls.reload_interval, self.start)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def reload(self) -> None:
        """Reads the files on a thread of its own: an encrypted key takes its time."""
        threading.Thread(target=self._reload, name="smolcorn-certificates").start()

    def _reload(self) -> None:
        with self._one_at_a_time:
            try:
                self._tls.reload()
            except ValueError as error:
                _logger.error("Certificates not reloaded: %s", error)
            else:
                _logger.info("Certificates reloaded")


@contextlib.contextmanager
def _hangups(keeper: _Keeper) -> Iterator[None]:
    """Has SIGHUP read the files, where nobody else handles it."""
    is_main = threading.current_thread() is threading.main_thread()
    number = getattr(signal, "SIGHUP", None)
    if not is_main or number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    signal.signal(number, lambda _number, _frame: keeper.reload())
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)
