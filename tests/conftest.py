"""Fixtures: the placements, servers of one's own, and servers that tests share."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.certificates import Authority, Issued
from harness.project import Project
from harness.server import Server, environment, used_in_test
from harness.workers import StartWorkers, wait_for_workers

BARE = ("--no-date-header", "--no-server-header", "--no-access-log")
"""Options under which an answer is nothing but what the application and the framing make it."""

SIGNS_OF_A_DEFECT = (
    "panicked at",
    "was never awaited",
    "exception was never retrieved",
    "was destroyed but it is pending",
    "Exception in callback",
    "Exception ignored in",
)
"""What no test makes a server write to stderr."""

OUTPUT_SHOWN_BYTES = 20_000


@dataclass(frozen=True)
class Placement:
    """Which thread polls the connections, and on which event loop the application runs."""

    name: str
    options: tuple[str, ...]


PLACEMENTS = (
    Placement("fused-uvloop", ("--io-threads", "0", "--loop", "uvloop")),
    Placement("fused-asyncio", ("--io-threads", "0", "--loop", "asyncio")),
    Placement("threads-asyncio", ("--io-threads", "2", "--loop", "asyncio")),
)


@pytest.fixture(
    scope="session", params=PLACEMENTS, ids=lambda placement: str(placement.name)
)
def placement(request: pytest.FixtureRequest) -> Placement:
    """Each of the placements in turn."""
    chosen = request.param
    assert isinstance(chosen, Placement)
    return chosen


Start = Callable[..., Server]


@pytest.fixture
def launch() -> Iterator[Start]:
    """Starts servers with exactly the given arguments, without waiting; kills them after the test."""
    servers: list[Server] = []

    def launch_server(*arguments: str, **settings: object) -> Server:
        servers.append(Server(*arguments, **settings))  # type: ignore[arg-type]
        return servers[-1]

    yield launch_server
    for server in servers:
        server.kill()


@pytest.fixture
def start(launch: Start) -> Start:
    """Starts servers for this test alone, on a free port, and waits until they are ready."""

    def start_server(app: str, *options: str, **settings: object) -> Server:
        return launch(app, "--port", "0", *options, **settings).wait_until_ready()

    return start_server


@pytest.fixture
def start_workers(start: Start) -> StartWorkers:
    """The same for servers of several processes."""

    def start_server(app: str, count: int, *options: str, **settings: object) -> Server:
        server = start(app, "--workers", str(count), *options, **settings)
        wait_for_workers(server, count)
        return server

    return start_server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder with an application that changes."""
    return Project(tmp_path.resolve())


@pytest.fixture
def serve_project(launch: Start, project: Project) -> Start:
    """Serves the project with `--reload`, and waits for the banner."""

    def serve(*options: str, **settings: object) -> Server:
        arguments = ("main:app", "--port", "0", "--reload", *options)
        server = launch(*arguments, **{"cwd": project.root, **settings})
        return server.wait_until_ready()

    return serve


class Pool:
    """Servers that live as long as the test run, one for each set of arguments."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, ...], Server] = {}
        self._failures: dict[tuple[str, ...], AssertionError] = {}

    def get(self, app: str, *options: str) -> Server:
        """The shared server with these arguments; a new one if it is not there or has died."""
        arguments = (app, "--port", "0", *options)
        server = self._servers.get(arguments)
        if server is None or not server.running():
            server = self._servers[arguments] = self._start(arguments)
        server.mark_use()
        return server

    def _start(self, arguments: tuple[str, ...]) -> Server:
        if failure := self._failures.get(arguments):
            raise failure
        server = Server(*arguments)
        try:
            return server.wait_until_ready()
        except AssertionError as failure:
            # The tests after this one need not wait for it again.
            self._failures[arguments] = failure
            server.kill()
            raise

    def close(self) -> None:
        """Ends them all."""
        for server in self._servers.values():
            server.kill()


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """The shared servers."""
    servers = Pool()
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA of this run."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def issued(authority: Authority) -> Issued:
    """A certificate for this machine, of whose files nobody changes any."""
    return authority.issue("localhost", "127.0.0.1")


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """For servers in this process: a folder without settings, no variables of whoever runs the
    tests; afterwards the loggers are as they were."""
    for name in {*os.environ} - {*environment()}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
    loggers = [logging.getLogger(name) for name in names]
    before = [(log, log.level, log.propagate, log.handlers[:]) for log in loggers]
    yield
    for log, level, propagate, handlers in before:
        log.setLevel(level)
        log.propagate, log.handlers = propagate, handlers
    gc.unfreeze()


@pytest.fixture(autouse=True)
def servers_of_test() -> Iterator[None]:
    """Forgets the servers of the test before, and checks those of this one for signs of a defect."""
    used_in_test.clear()
    yield
    for server, _, stderr_before in used_in_test:
        said = server.stderr.since(stderr_before)
        for sign in SIGNS_OF_A_DEFECT:
            assert sign not in said, said
        assert server.process.returncode is None or server.process.returncode not in (
            -6,
            -11,
        ), said


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """Shows what the servers of a failed test have written during it."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        for server, stdout_before, stderr_before in used_in_test:
            state = (
                "runs"
                if server.running()
                else f"ended with {server.process.returncode}"
            )
            name = f"{' '.join(server.arguments)} [{state}]"
            for output, before in (
                (server.stdout, stdout_before),
                (server.stderr, stderr_before),
            ):
                if said := output.since(before)[-OUTPUT_SHOWN_BYTES:]:
                    report.sections.append((f"{output.name} of {name}", said))
    return report  # type: ignore[return-value]


def pytest_report_header() -> str:
    """Says which program is tested."""
    from harness.server import program

    return f"program: {' '.join(program())} (pid {os.getpid()})"
