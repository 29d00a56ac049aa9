"""Runs the program under test as a process of its own."""

import itertools
import json
import os
import shlex
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals
from typing import Any

from harness.deadline import DEADLINE_SECONDS, Deadline
from harness.output import Output
from harness.wire import TlsWire, Wire

TESTS = Path(__file__).resolve().parent.parent
REPORTS_FD = "TEST_REPORTS_FD"
BANNER = (
    r"running on (?:(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^:/ ]*):(?P<port>\d+)"
    r"|unix socket (?P<path>.+?)|socket (?P<socket>.+?)) \(Press CTRL\+C to quit\)"
)
# Settings of whoever runs the tests that must not reach the program.
FOREIGN_SETTINGS = (
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
    "LISTEN_FDS",
    "LISTEN_PID",
    "PORT",
)
FOREIGN_PREFIXES = ("UVICORN_", "SMOLCORN_", "PYTEST_")

used_in_test: "list[tuple[Server, int, int]]" = []
"""The servers that the running test has used, with the sizes of their output before it."""


def program() -> list[str]:
    """The command under test: SMOLCORN_COMMAND, SMOLCORN_BIN, or what is installed beside this Python."""
    if command := os.environ.get("SMOLCORN_COMMAND"):
        return shlex.split(command)
    if binary := os.environ.get("SMOLCORN_BIN"):
        return [os.path.abspath(binary)]
    installed = Path(sys.executable).with_name("smolcorn")
    return (
        [str(installed)] if installed.exists() else [sys.executable, "-m", "smolcorn"]
    )


def is_binary() -> bool:
    """Whether the program under test embeds Python: the wheel's is a script."""
    try:
        with open(program()[0], "rb") as file:
            return os.environ.get("SMOLCORN_BIN") is not None and file.read(2) != b"#!"
    except FileNotFoundError:
        return False


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the program: ours without the settings that would change what it does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN_SETTINGS and not name.startswith(FOREIGN_PREFIXES)
    }
    if sys.prefix != sys.base_prefix:
        kept["VIRTUAL_ENV"] = sys.prefix
    return kept | dict(extra or {})


class Server:
    """One process of the program, from its start to its end."""

    _tickets = itertools.count(1)

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | str = TESTS,
        pass_fds: Sequence[int] = (),
        prefix: Sequence[str] = (),
    ) -> None:
        read_end, write_end = os.pipe()
        self.arguments = arguments
        self.process = subprocess.Popen(
            [*prefix, *program(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment({REPORTS_FD: str(write_end), **(env or {})}),
            cwd=cwd,
            pass_fds=(write_end, *pass_fds),
            # Signals that a terminal sends to the test run are not for the program.
            start_new_session=True,
        )
        os.close(write_end)
        assert self.process.stdout and self.process.stderr
        self.stdout = Output("stdout", os.dup(self.process.stdout.fileno()))
        self.stderr = Output("stderr", os.dup(self.process.stderr.fileno()))
        self.reports = Output("reports", read_end)
        self.process.stdout.close()
        self.process.stderr.close()
        self._reports_taken: dict[str, int] = {}
        self.address: tuple[str, int] | str | None = None
        self.scheme = "http"
        self.mark_use()

    def mark_use(self) -> None:
        """Notes that the running test uses this server, so that a failure shows its output."""
        if all(server is not self for server, _, _ in used_in_test):
            used_in_test.append((self, self.stdout.size(), self.stderr.size()))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        assert isinstance(self.address, tuple)
        return self.address[1]

    def wait_until_ready(self, seconds: float = DEADLINE_SECONDS) -> "Server":
        """Waits for the banner, and learns from it where the server listens."""
        found = self.stderr.wait_for(BANNER, seconds=seconds)
        if found["port"]:
            self.scheme = found["scheme"]
            host = found["host"].strip("[]")
            self.address = (
                {"": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(host, host),
                int(found["port"]),
            )
        elif found["path"]:
            self.address = found["path"]
        return self

    def connect(
        self, *, receive_buffer: int | None = None, host: str | None = None
    ) -> Wire:
        """Opens a connection. `receive_buffer` makes our end small, for tests of a slow reader."""
        assert self.address is not None, "the server is not ready"
        if isinstance(self.address, str):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            target: Any = self.address
        else:
            target = (host or self.address[0], self.address[1])
            family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(DEADLINE_SECONDS)
        connection.connect(target)
        return Wire(connection)

    def connect_tls(
        self,
        context: ssl.SSLContext,
        name: str | None = "localhost",
        *,
        session: ssl.SSLSession | None = None,
        receive_buffer: int | None = None,
    ) -> TlsWire:
        """Opens a TLS connection, and asks for `name`."""
        wire = self.connect(receive_buffer=receive_buffer)
        try:
            secured = context.wrap_socket(
                wire.socket,
                server_hostname=name,
                session=session,
                suppress_ragged_eofs=False,
            )
        except BaseException:
            wire.close()
            raise
        return TlsWire(secured)

    def url(self, path: str = "/") -> str:
        """A URL on this server."""
        assert isinstance(self.address, tuple)
        host = f"[{self.address[0]}]" if ":" in self.address[0] else self.address[0]
        return f"{self.scheme}://{host}:{self.address[1]}{path}"

    def ticket(self) -> str:
        """A new name under which an application reports what it saw during one request."""
        return f"t{next(self._tickets)}"

    def reported(self, ticket: str, seconds: float = DEADLINE_SECONDS) -> Any:
        """Waits for the next thing that the application reports under `ticket`."""
        taken = self._reports_taken.get(ticket, 0)
        self._reports_taken[ticket] = taken + 1
        mark = f'["{ticket}", '.encode()

        def find(said: bytearray) -> list[Any] | None:
            lines = [
                line for line in said.splitlines(keepends=True) if line.startswith(mark)
            ]
            return (
                json.loads(lines[taken])
                if len(lines) > taken and lines[taken].endswith(b"\n")
                else None
            )

        return self.reports.wait_until(
            find, f"report {taken + 1} of {ticket}", seconds
        )[1]

    def report_count(self, ticket: str) -> int:
        """How many things were reported under `ticket` so far."""
        return self.reports.text.count(f'["{ticket}", ')

    def signal(self, number: Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Waits for the end, and returns the exit code; -N when signal N ended it. Output is complete then."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the program still runs after {seconds} s") from None
        self.stdout.wait_for_end()
        self.stderr.wait_for_end()
        return code

    def stop(self, number: Signals = Signals.SIGINT) -> int:
        """Asks it to stop, and returns the exit code."""
        self.signal(number)
        return self.wait()

    def running(self) -> bool:
        """True until the process has ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Ends it now, whatever it does."""
        if self.running():
            self.process.kill()
            self.process.wait()

    def wait_until_asleep(self) -> None:
        """Waits until the main thread has nothing to do."""
        deadline = Deadline()
        asleep = 0
        while asleep < 20:
            assert deadline.left(), "the main thread is always busy"
            asleep = asleep + 1 if self._state(self.pid) == "S" else 0
            time.sleep(0.001)

    def wait_until_stopped(self) -> None:
        """Waits until a SIGSTOP has stopped all threads."""
        deadline = Deadline()
        tasks = Path(f"/proc/{self.pid}/task")
        while any(self._state(int(task.name)) != "T" for task in tasks.iterdir()):
            assert deadline.left(), "a thread goes on"
            time.sleep(0.001)

    def _state(self, thread: int) -> str:
        stat = Path(f"/proc/{self.pid}/task/{thread}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]

    def memory_peak_mib(self) -> float:
        """The largest resident size so far, MiB."""
        return self._memory("VmHWM:")

    def memory_mib(self) -> float:
        """The resident size now, MiB."""
        return self._memory("VmRSS:")

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024
