"""Runs one server on given cores: starts it, waits until it answers rightly, stops it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from . import probe
from .failure import Failure, Unsupported
from .loads import Load
from .servers import HOST, Launch, Server, Tls

APPS = Path(__file__).parents[1] / "apps"
START_S = 30
STOP_S = 5
#: So many times longer where another program looks on.
WRAPPED_PATIENCE = 10
POLL_S = 0.003
#: The exit status of a program that does not know the options it is given.
USAGE_ERROR = 2
#: Variables by which a shell's settings would get into a server.
FOREIGN_VARIABLES = (
    "SMOLCORN_",
    "UVICORN_",
    "GRANIAN_",
    "GUNICORN_",
    "WEB_CONCURRENCY",
)
FILE_BYTES = 50 * 1024


@dataclass(frozen=True)
class Running:
    """A server that has answered."""

    pid: int
    port: int


class Workshop:
    """What servers need of files, in a folder that its owner removes."""

    def __init__(
        self,
        folder: Path,
        other_python: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.folder = folder
        self.stop_signal = stop_signal
        # Servers run in another folder. The path may be a link into an environment: it is kept.
        self.other_python = other_python and os.path.abspath(other_python)
        self.file = folder / "50kb.bin"
        self.file.write_bytes(b"x" * FILE_BYTES)
        self.tls = cache(partial(make_certificate, folder))

    def launch(self, load: Load) -> Launch:
        """How a server is started for this load."""
        python = sys.executable
        if load.other_python:
            if not self.other_python:
                raise Unsupported("no other Python is given (--other-python)")
            python = self.other_python
        return Launch(
            load.app,
            free_port(),
            self.folder,
            python,
            load.access_log,
            load.workers,
            self.tls() if load.tls else None,
            interface=load.interface,
            answer=load.answer,
        )

    @contextmanager
    def running(
        self,
        server: Server,
        launch: Launch,
        cores: set[int],
        wrapper: Sequence[str] = (),
    ) -> Iterator[Running]:
        """The server on those cores, until the block ends.

        What it prints goes to a file, and so does its access log. If it ends by itself, the
        failure quotes its last line. A wrapper is a program that runs it and looks on; all then
        takes longer.
        """
        command = [*wrapper, *server.command(launch)]
        patience = WRAPPED_PATIENCE if wrapper else 1
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen(
                command,
                cwd=APPS,
                env=self.environment(repeatable=bool(wrapper)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(os.sched_setaffinity, 0, cores),
            )
            try:
                wait_until_listening(process, launch.port, START_S * patience)
                yield Running(process.pid, launch.port)
                if process.poll() is not None:
                    raise Failure(f"ended by itself with status {process.returncode}")
            except Failure as failure:
                if process.poll() is None:
                    raise
                output.seek(0)
                said = "; ".join(
                    [str(failure), *output.read().strip().splitlines()[-1:]]
                )
                kind = Unsupported if process.returncode == USAGE_ERROR else Failure
                raise kind(said) from None
            finally:
                stop(process, STOP_S * patience, self.stop_signal)

    def environment(self, repeatable: bool) -> dict[str, str]:
        """Without settings of the shell's; `repeatable` gives strings the same hashes each time."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN_VARIABLES)
        }
        environment["BENCH_FILE"] = str(self.file)
        if repeatable:
            environment["PYTHONHASHSEED"] = "0"
        return environment


def make_certificate(folder: Path) -> Tls:
    """A self-signed certificate on P-256, the key in PKCS#8."""
    tls = Tls(folder / "certificate.pem", folder / "key.pem")
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -batch"
    )
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tls.key), "-out", str(tls.certificate)]
    try:
        subprocess.run(
            ["openssl", *words.split(), *subject, *files],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        raise Unsupported(
            "openssl, which makes the certificate, is not installed"
        ) from None
    except subprocess.CalledProcessError as error:
        raise Failure(f"openssl: {error.stderr.decode(errors='replace')}") from None
    # Workers that have given up root's rights read it as well.
    for path in (folder, tls.key, tls.certificate):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tls


def free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def wait_until_listening(
    process: "subprocess.Popen[bytes]", port: int, start_s: float
) -> None:
    """Returns when the server takes a connection."""
    deadline = time.monotonic() + start_s
    while True:
        try:
            socket.create_connection((HOST, port), start_s).close()
            return
        except OSError:
            if process.poll() is not None:
                raise Failure(f"did not start: status {process.returncode}") from None
            if time.monotonic() > deadline:
                raise Failure(f"did not listen within {start_s} s") from None
            time.sleep(POLL_S)


def check(running: Running, load: Load) -> None:
    """Fails unless the server gives the answer that the load expects."""
    try:
        probe.check(load, running.port)
    except OSError as error:
        raise Failure(f"did not answer: {error}") from None


def stop(process: "subprocess.Popen[bytes]", stop_s: float, number: int) -> None:
    """Asks the server to end, and ends what is left of its process group."""
    signal_group(process, number)
    try:
        process.wait(stop_s)
    except subprocess.TimeoutExpired:
        pass
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    """The group is the server's own; a program that looks on does not hand signals down."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
