"""Which event loop the application runs on, and which thread polls the sockets."""

import re

import pytest

from conftest import Start
from harness.server import Server

APP = "apps.loops:app"
FALLBACK = re.compile(r"^INFO:     .*cannot watch descriptors.*$", re.MULTILINE)


def answer(server: Server) -> bytes:
    with server.connect() as wire:
        answers = set()
        for _ in range(3):
            wire.send(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo"
            ).send(b"dy")
            answers.add(wire.response().body)
        (only,) = answers
        return only


@pytest.mark.parametrize(
    ("loop", "pattern"),
    [
        ("uvloop", rb"uvloop\.Loop"),
        ("asyncio", rb"asyncio\.unix_events\._UnixSelectorEventLoop"),
        ("auto", rb"uvloop\.Loop"),
        ("apps.loops:OwnLoop", rb"apps\.loops\.OwnLoop"),
        ("apps.loops:make_loop", rb"apps\.loops\.OwnLoop"),
    ],
)
@pytest.mark.parametrize("threads", ["0", "1", "2"])
def test_loop(start: Start, loop: str, pattern: bytes, threads: str) -> None:
    server = start(APP, "--loop", loop, "--io-threads", threads)
    assert re.fullmatch(pattern, answer(server))
    assert server.stop() == 0
    assert not FALLBACK.search(server.stderr.text)


def test_loop_that_cannot_watch_descriptors_gets_threads(start: Start) -> None:
    server = start(APP, "--loop", "apps.loops:BlindLoop")
    assert answer(server) == b"apps.loops.BlindLoop"
    assert server.stop() == 0
    assert len(FALLBACK.findall(server.stderr.text)) == 1


def test_such_a_loop_with_threads_that_were_asked_for(start: Start) -> None:
    server = start(APP, "--loop", "apps.loops:BlindLoop", "--io-threads", "2")
    assert answer(server) == b"apps.loops.BlindLoop"
    assert server.stop() == 0
    assert not FALLBACK.search(server.stderr.text)


@pytest.mark.parametrize("threads", ["0", "2"])
def test_application_runs_in_the_main_thread(start: Start, threads: str) -> None:
    assert answer(start("apps.loops:thread", "--io-threads", threads)) == b"main"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "foo",
            'Import string "foo" must be in format "<module>:<attribute>". '
            "The loops with a name are auto, asyncio, uvloop and none.",
        ),
        ("no_such_module:loop", 'Could not import module "no_such_module".'),
        (
            "apps.loops:nope",
            'Attribute "nope" not found in module "apps.loops".',
        ),
    ],
)
def test_loop_that_is_not_there(launch: Start, name: str, reason: str) -> None:
    server = launch(APP, "--loop", name, "--port", "0")
    assert server.wait() == 3
    line = f"ERROR:    Error loading custom loop setup function. {reason}"
    assert line in server.stderr.lines
    assert "Traceback" not in server.stderr.text


def test_loop_factory_that_is_none(launch: Start) -> None:
    server = launch(APP, "--loop", "apps.loops:not_callable", "--port", "0")
    assert server.wait() == 3
    assert server.stderr.lines[-1].startswith("ERROR:    ")
