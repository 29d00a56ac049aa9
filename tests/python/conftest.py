"""Fixtures for the unit tests of the Python package, which need no native core."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

try:
    import smolcorn
except ImportError:
    sys.path.insert(0, str(Path(__file__).parents[2] / "python"))
    import smolcorn

from harness.deadline import DEADLINE_SECONDS

from .fake_core import Core, module

LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
TEST_SECONDS_MAX = 3 * DEADLINE_SECONDS


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT as Python has it: what a shell starts in the background begins without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Core]]:
    fake = module()
    monkeypatch.setitem(sys.modules, "smolcorn._core", fake)
    monkeypatch.setattr(smolcorn, "_core", fake, raising=False)
    Core.reset()
    yield Core
    Core.reset()


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """Ends a test that waits for something that does not happen."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"not done after {TEST_SECONDS_MAX} s")

    before = signal.signal(signal.SIGALRM, give_up)
    # And again: whoever is waiting may take the first one for an error of its own.
    signal.setitimer(signal.ITIMER_REAL, TEST_SECONDS_MAX, 1)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Puts the server's loggers back as they were."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [
        (log, log.level, log.propagate, log.handlers[:], log.filters[:])
        for log in loggers
    ]
    yield
    for log, level, propagate, handlers, filters in before:
        log.setLevel(level)
        log.propagate, log.handlers, log.filters = propagate, handlers, filters
        log.disabled = False


class Lines(logging.Handler):
    """Collects `LEVEL message`, and the type of a logged exception."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.levelname} {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            line += f"<{record.exc_info[0].__name__}>"
        self.lines.append(line)
        self.records.append(record)


@pytest.fixture
def logs() -> Iterator[Lines]:
    handler = Lines()
    logger = logging.getLogger("uvicorn")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module that can be imported during this test, under the given name."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    yield write
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]
