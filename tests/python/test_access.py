"""When the core may write access lines itself."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smolcorn import access
from smolcorn.config import configure_logging
from smolcorn.logging import ACCESS_FORMAT, AccessFormatter

from .fake_core import settings

LOGGER = logging.getLogger("uvicorn.access")


@contextlib.contextmanager
def standard_output_is_a_pipe() -> Iterator[int]:
    """Sets logging up on a pipe; yields the descriptor to read from."""
    # Not a fixture: pytest replaces the stream between set-up and test.
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, contextlib.redirect_stdout(stream):
        configure_logging(settings(use_colors=True))
        yield reader
    os.close(reader)


@pytest.fixture(autouse=True)
def built_in_configuration() -> None:
    configure_logging(settings())


def handler() -> logging.StreamHandler[Any]:
    found = LOGGER.handlers[0]
    assert isinstance(found, logging.StreamHandler)
    return found


def test_the_plan() -> None:
    with standard_output_is_a_pipe() as pipe:
        plan = access.native_plan()
        assert plan is not None
        assert (plan.fd, plan.use_colors) == (sys.stdout.fileno(), True)
        sys.stdout.write("printed")
        plan.flush()
        assert os.read(pipe, 100) == b"printed"


class Quiet(AccessFormatter):
    pass


CHANGES: dict[str, Callable[[], object]] = {
    "filter on the logger": lambda: LOGGER.addFilter(lambda record: True),
    "filter on the handler": lambda: handler().addFilter(lambda record: True),
    "second handler": lambda: LOGGER.addHandler(logging.NullHandler()),
    "other handler": lambda: setattr(LOGGER, "handlers", [logging.NullHandler()]),
    "no handler": lambda: setattr(LOGGER, "handlers", []),
    "propagation": lambda: setattr(LOGGER, "propagate", True),
    "level of the logger": lambda: LOGGER.setLevel(logging.WARNING),
    "level of the handler": lambda: handler().setLevel(logging.WARNING),
    "disabled": lambda: setattr(LOGGER, "disabled", True),
    "other format": lambda: handler().setFormatter(AccessFormatter("%(message)s")),
    "other style": lambda: handler().setFormatter(
        AccessFormatter("{message}", style="{")
    ),
    "subclass": lambda: handler().setFormatter(Quiet(ACCESS_FORMAT)),
    "plain formatter": lambda: handler().setFormatter(logging.Formatter()),
    "standard error": lambda: handler().setStream(sys.stderr),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_configuration_goes_through_logging(change: str) -> None:
    with standard_output_is_a_pipe():
        assert access.native_plan() is not None
        CHANGES[change]()
        assert access.native_plan() is None


def test_logging_switched_off_as_a_whole() -> None:
    with standard_output_is_a_pipe():
        logging.disable(logging.INFO)
        try:
            assert access.native_plan() is None
        finally:
            logging.disable(logging.NOTSET)
        assert access.native_plan() is not None


def test_a_record_factory_sees_the_records() -> None:
    class Record(logging.LogRecord):
        pass

    with standard_output_is_a_pipe():
        logging.setLogRecordFactory(Record)
        try:
            assert access.native_plan() is None
        finally:
            logging.setLogRecordFactory(logging.LogRecord)
        assert access.native_plan() is not None


def test_instrumentation_of_the_logger_sees_the_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with standard_output_is_a_pipe():
        assert access.native_plan() is not None
        monkeypatch.setattr(logging.Logger, "callHandlers", lambda self, record: None)
        assert access.native_plan() is None


def test_a_replaced_standard_output() -> None:
    with standard_output_is_a_pipe(), contextlib.redirect_stdout(io.StringIO()):
        assert access.native_plan() is None
        # A stream without a descriptor.
        configure_logging(settings())
        assert access.native_plan() is None


def test_a_filter_finds_the_five_arguments() -> None:
    seen: list[logging.LogRecord] = []
    LOGGER.addFilter(lambda record: not seen.append(record))  # type: ignore[func-returns-value]
    access.log_access("1.2.3.4:5", "GET", "/a%20b?q", "1.1", 200)
    assert seen[0].args == ("1.2.3.4:5", "GET", "/a%20b?q", "1.1", 200)
    assert seen[0].getMessage() == '1.2.3.4:5 - "GET /a%20b?q HTTP/1.1" 200'
    assert (seen[0].name, seen[0].levelname) == ("uvicorn.access", "INFO")
