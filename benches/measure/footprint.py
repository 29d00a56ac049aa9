"""What a server costs before and beside its requests: its start, its memory, its size.

Each server serves the 10-byte application. These are no loads: no generator drives them.
"""

import resource
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from statistics import median

from .accounting import cpu_time, memory_bytes
from .failure import Failure
from .loads import HELLO, LOADS
from .process import Running, Workshop
from .servers import FLOOR, HOST, SUBJECT, Server

#: What --loads calls them.
START, IDLE, SIZE = "start", "idle", "size"
NAMES = {
    START: "first answer after the start, and memory when idle",
    IDLE: "memory for each of 10,000 idle connections",
    SIZE: "sizes of wheel and binary, and of what is installed",
}
IDLE_CONNECTIONS = 10_000
#: Opened before the first look, so that what the first requests make is not counted.
FIRST_CONNECTIONS = 100
#: Descriptors that are needed beside those of the connections.
OTHER_DESCRIPTORS = 500
SETTLE_S = 0.5
TIMEOUT_S = 30
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
LOAD = next(load for load in LOADS if load.name == "10b")


@dataclass
class Footprint:
    """One server's values, each a median, and None where it is not known."""

    server: str
    first_answer_s: float | None = None
    start_cpu_s: float | None = None
    idle_bytes: float | None = None
    connection_bytes: float | None = None
    connections: int = 0
    installed_bytes: int | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Forms:
    """Sizes of what is handed out, in bytes."""

    wheel_bytes: int | None = None
    binary_bytes: int | None = None


def allow_descriptors() -> int:
    """Raises the limit for this process and its children; returns how many connections fit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(IDLE_CONNECTIONS, hard - OTHER_DESCRIPTORS - FIRST_CONNECTIONS)


class Surveyor:
    """Starts servers and looks at them."""

    def __init__(self, workshop: Workshop, core: int, rounds: int) -> None:
        self.workshop = workshop
        self.core = core
        self.rounds = rounds

    def survey(
        self, servers: Sequence[Server], wanted: Sequence[str]
    ) -> list[Footprint]:
        """One for each name: of a server's modes the first, whose memory is the least."""
        first = {server.name: server for server in reversed(servers)}
        footprints = {server.name: Footprint(server.name) for server in servers}
        steps: dict[str, Callable[[Server, Footprint], None]] = {
            START: self.start,
            IDLE: self.idle,
            SIZE: measure_size,
        }
        for name, footprint in footprints.items():
            for step in wanted:
                try:
                    steps[step](first[name], footprint)
                except Failure as failure:
                    footprint.problems.append(f"{step}: {failure}")
        return list(footprints.values())

    def start(self, server: Server, footprint: Footprint) -> None:
        """Time and CPU until the first right answer, and the memory soon after."""
        times, cpu, memory = [], [], []
        # The first start, which fills the caches, does not count.
        for number in range(self.rounds + 1):
            launch = self.workshop.launch(LOAD)
            begun = time.monotonic()
            with self.workshop.running(server, launch, {self.core}) as running:
                with open_connection(running.port) as connection:
                    ask(connection)
                took = time.monotonic() - begun
                used = cpu_time(running.pid)
                time.sleep(SETTLE_S)
                if number:
                    times.append(took)
                    cpu.append(used.user + used.system)
                    memory.append(memory_bytes(running.pid))
        footprint.first_answer_s = median(times)
        footprint.start_cpu_s = median(cpu)
        footprint.idle_bytes = median(memory)

    def idle(self, server: Server, footprint: Footprint) -> None:
        """Memory for each connection that has had an answer and is kept."""
        count = allow_descriptors()
        launch = replace(self.workshop.launch(LOAD), crowd=True)
        with self.workshop.running(server, launch, {self.core}) as running:
            connections: list[socket.socket] = []
            try:
                before = self.memory_with(running, connections, FIRST_CONNECTIONS)
                after = self.memory_with(running, connections, count)
                if lost := sum(map(has_ended, connections)):
                    raise Failure(
                        f"{lost} of {len(connections)} connections were closed"
                    )
            finally:
                for connection in connections:
                    connection.close()
        footprint.connections = count
        footprint.connection_bytes = (after - before) / count

    def memory_with(
        self, running: Running, connections: list[socket.socket], more: int
    ) -> int:
        """The server's memory once so many more connections have had an answer."""
        for _ in range(more):
            connections.append(open_connection(running.port))
            ask(connections[-1])
        time.sleep(SETTLE_S)
        return memory_bytes(running.pid)


def open_connection(port: int) -> socket.socket:
    try:
        return socket.create_connection((HOST, port), TIMEOUT_S)
    except OSError as error:
        raise Failure(f"took no connection: {error}") from None


def ask(connection: socket.socket) -> None:
    """One request, and its whole answer."""
    try:
        connection.sendall(REQUEST)
        read = b""
        while not read.endswith(HELLO):
            if not (more := connection.recv(4096)):
                raise Failure(f"closed a connection after {read[:80]!r}")
            read += more
    except OSError as error:
        raise Failure(f"did not answer: {error}") from None
    if not read.startswith(b"HTTP/1.1 200 "):
        raise Failure(f"answered {read[:80]!r}")


def has_ended(connection: socket.socket) -> bool:
    try:
        connection.setblocking(False)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def measure_size(server: Server, footprint: Footprint) -> None:
    """What the distribution alone takes on the disk, without what it depends on."""
    if server.name == FLOOR:
        return
    try:
        listed = files(server.name) or []
    except PackageNotFoundError:
        raise Failure("is not installed") from None
    paths = [Path(str(file.locate())) for file in listed if file.suffix != ".pyc"]
    footprint.installed_bytes = sum(
        path.stat().st_size for path in paths if path.is_file()
    )


def forms(wheel: Path | None, binary: Path | None) -> Forms:
    return Forms(size_of(wheel), size_of(binary))


def size_of(path: Path | None) -> int | None:
    return path.stat().st_size if path and path.is_file() else None


def of(footprints: Sequence[Footprint], name: str = SUBJECT) -> Footprint | None:
    return next(
        (footprint for footprint in footprints if footprint.server == name), None
    )
