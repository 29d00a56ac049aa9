"""Servers of several processes: who they are, and when they are ready."""

import os
import signal
import time
from pathlib import Path
from typing import Protocol

from harness.deadline import Deadline
from harness.server import Server
from harness.wire import Wire

STARTED = "Application startup complete."


class StartWorkers(Protocol):
    """Starts a server of so many workers, and waits for all of them."""

    def __call__(
        self, app: str, count: int, *options: str, **settings: object
    ) -> Server: ...


def get(path: str) -> bytes:
    """A request."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def wait_for_workers(server: Server, count: int) -> None:
    """Waits until so many workers have started, since the server's start."""
    wait_for_lines(server, STARTED, count)


def wait_for_lines(server: Server, text: str, count: int) -> None:
    """Waits until stderr has `text` so often."""
    server.stderr.wait_until(
        lambda said: True if said.count(text.encode()) >= count else None,
        f"{count} times {text!r}",
        40,
    )


def workers(server: Server) -> set[int]:
    """The numbers of the processes whose parent the server is."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == server.pid and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def wait_for_count(server: Server, count: int) -> None:
    """Waits until the server has so many workers."""
    deadline = Deadline(40)
    while len(workers(server)) != count:
        assert deadline.left(), f"workers: {workers(server)}"
        time.sleep(0.01)


def wait_for_end_of(pid: int) -> None:
    """Waits until there is no such process."""
    deadline = Deadline(40)
    while alive(pid):
        assert deadline.left(), f"process {pid} is still there"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """True while the process is there and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal to one process."""
    os.kill(pid, number)


def ask(server: Server, path: str = "/pid") -> str:
    """Sends one request on a connection of its own; the body of the answer."""
    with server.connect() as wire:
        response = wire.send(get(path)).response()
        assert response.status == 200, response.raw
        return response.body.decode()


def one_connection_to_each(server: Server, count: int) -> dict[int, Wire]:
    """Opens connections until so many processes have answered; one of each stays open."""
    found: dict[int, Wire] = {}
    spare: list[Wire] = []
    deadline = Deadline()
    while len(found) < count:
        assert deadline.left(), f"only {sorted(found)} answer"
        wire = server.connect()
        pid = int(wire.send(get("/pid")).response().body)
        if pid in found:
            spare.append(wire)
        else:
            found[pid] = wire
    for wire in spare:
        wire.close()
    return found


def memory_mib(pid: int) -> dict[str, float]:
    """What the system says of a process's memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(kib) / 1024 for name, kib, *_ in fields}
