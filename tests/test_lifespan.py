"""Start-up and shutdown of the application, and what follows when they go wrong."""

import re

import pytest

from conftest import Placement, Start
from harness.server import Server

APP = "apps.life:app"
STARTED = "INFO:     Application startup complete."
UNSUPPORTED = "INFO:     ASGI 'lifespan' protocol appears unsupported."
FAILED = "ERROR:    Application startup failed. Exiting."


def state(server: Server) -> bytes:
    with server.connect() as wire:
        return wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").response().body


def runs(start: Start, mode: str, *options: str) -> Server:
    return start(APP, *options, env={"MODE": mode})


def does_not_start(launch: Start, mode: str, *options: str) -> str:
    """Fails unless the server ends with 3 before it listens; returns what it wrote."""
    server = launch(APP, "--port", "0", *options, env={"MODE": mode})
    assert server.wait() == 3
    assert server.stdout.text == ""
    assert "Smolcorn running on" not in server.stderr.text
    assert server.stderr.lines[-1] == FAILED
    return server.stderr.text


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_whole_life(start: Start, placement: Placement, mode: str) -> None:
    server = runs(start, "", *placement.options, "--lifespan", mode)
    assert server.reported("scope") == {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "state": "dict",
    }
    assert server.reported("event") == {"type": "lifespan.startup"}
    assert state(server) == b"{}"
    assert server.report_count("event") == 1
    assert server.stop() == 0
    assert server.reported("event") == {"type": "lifespan.shutdown"}
    assert server.reported("event") == "done"


def test_off(start: Start) -> None:
    server = runs(start, "", "--lifespan", "off")
    assert state(server) == b"{}"
    assert server.stop() == 0
    assert server.reports.text == ""
    assert "application" not in server.stderr.text.lower()


@pytest.mark.parametrize("mode", ["raises-at-once", "asserts-type"])
def test_auto_takes_an_application_that_does_not_know_lifespan(
    start: Start, mode: str
) -> None:
    server = runs(start, mode)
    assert state(server) == b"{}"
    assert server.stop() == 0
    lines = server.stderr.lines
    assert lines.index(UNSUPPORTED) + 1 == lines.index(STARTED)
    assert "INFO:     Waiting for application shutdown." not in lines
    assert "Traceback" not in server.stderr.text


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_error_in_start_up_is_an_error(launch: Start, mode: str) -> None:
    said = does_not_start(launch, "raises-in-startup", "--lifespan", mode)
    assert "ERROR:    Exception in 'lifespan' protocol\n" in said
    assert "\nRuntimeError: a bug in start-up\n" in said


def test_on_needs_an_application_that_knows_lifespan(launch: Start) -> None:
    said = does_not_start(launch, "raises-at-once", "--lifespan", "on")
    assert "ERROR:    Exception in 'lifespan' protocol\n" in said
    assert "\nRuntimeError: no lifespan here\n" in said


@pytest.mark.parametrize("mode", ["returns-at-once", "returns-in-startup"])
@pytest.mark.parametrize("option", ["auto", "on"])
def test_application_that_returns_has_started(
    start: Start, mode: str, option: str
) -> None:
    server = runs(start, mode, "--lifespan", option)
    assert state(server) == b"{}"
    assert server.stop() == 0
    assert STARTED in server.stderr.lines
    assert "INFO:     Application shutdown complete." in server.stderr.lines


@pytest.mark.parametrize("option", ["auto", "on"])
@pytest.mark.parametrize("mode", ["startup-failed", "startup-failed-and-raises"])
def test_start_up_fails_with_a_message(launch: Start, mode: str, option: str) -> None:
    said = does_not_start(launch, mode, "--lifespan", option)
    assert "ERROR:    no database\n" + FAILED in said


def test_start_up_fails_without_a_message(launch: Start) -> None:
    said = does_not_start(launch, "startup-failed-silently")
    assert re.findall("^ERROR:.*$", said, re.MULTILINE) == [FAILED]


@pytest.mark.parametrize("mode", ["wrong-order", "startup-twice"])
def test_messages_in_a_wrong_order(start: Start, mode: str) -> None:
    server = runs(start, mode)
    error = ["AssertionError", "Got invalid state transition on lifespan protocol."]
    assert server.reported("error") == error
    assert state(server) == b"{}"


def test_shutdown_fails(start: Start) -> None:
    server = runs(start, "shutdown-failed")
    assert server.stop() == 0
    assert (
        "ERROR:    lost something\nERROR:    Application shutdown failed. Exiting.\n"
        in server.stderr.text
    )


def test_error_in_shutdown(start: Start) -> None:
    server = runs(start, "raises-in-shutdown", "--lifespan", "on")
    assert server.stop() == 0
    assert "ERROR:    Exception in 'lifespan' protocol\n" in server.stderr.text
    assert "\nRuntimeError: a bug in shutdown\n" in server.stderr.text
    assert "ERROR:    Application shutdown failed. Exiting." in server.stderr.lines


def test_serving_goes_on_when_the_lifespan_dies(start: Start) -> None:
    server = runs(start, "dies-later", "--lifespan", "on")
    assert state(server) == b"{}"
    server.stderr.wait_for("^RuntimeError: died while serving$")
    assert state(server) == b"{}"
    assert server.stop() == 0


def test_nobody_can_connect_before_start_up_is_complete(launch: Start) -> None:
    server = launch("apps.life:slow_start", "--port", "0")
    assert server.reported("event") == "starting"
    assert "running on" not in server.stderr.text
    server.kill()


def test_context_of_the_lifespan_is_its_own(start: Start, placement: Placement) -> None:
    assert state(start("apps.life:context", *placement.options)) == b"clean"
