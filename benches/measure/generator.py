"""Drives a server with wrk, or with the WebSocket clients of benches/clients, and reads what they
have counted."""

import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import probe
from .failure import Failure, Unsupported
from .loads import Load, WebSocket
from .servers import HOST

SCRIPT = Path(__file__).with_name("wrk.lua")
INSTALL = "wrk, which makes the load, is not on PATH: install it (`apt install wrk`)"
#: wrk gives up on a request after two seconds and stops soon after its time.
GRACE_S = 15
#: So many handshakes at a time keep a server busy.
HANDSHAKE_PROCESSES = 8
HANDSHAKES = re.compile(
    rb"(\d+) connections in \d+ real seconds, (\d+) bytes read per connection"
)


@dataclass(frozen=True)
class Counted:
    """What the clients saw. An error is a failed connection, read or write, a request without
    an answer in two seconds, or an answer whose status is not 2xx or 3xx."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: dict[str, int]
    #: The share of its core that the generator has used: near 1, it was the limit and not the
    #: server.
    generator_busy: float


@dataclass(frozen=True)
class Generator:
    """The programs that make the load, and the core they run on."""

    wrk: str
    core: int
    #: The WebSocket clients; not everybody has built them.
    clients: Path | None = None

    def drive(self, load: Load, port: int, seconds: float) -> Counted:
        """Sends requests or messages for so long, from one thread on the core."""
        if load.websocket:
            return self.talk(load, load.websocket, port, seconds)
        if load.unit == "handshake":
            return self.shake_hands(load, port, seconds)
        with tempfile.NamedTemporaryFile() as body:
            body.write(load.body)
            body.flush()
            file = body.name if load.body else "-"
            return self.run(self.wrk_command(load, port, seconds, file), seconds)

    def wrk_command(
        self, load: Load, port: int, seconds: float, body: str
    ) -> list[str]:
        # wrk takes whole seconds: where they are not, it gets more and is stopped in time.
        whole = int(seconds) if seconds == int(seconds) else int(seconds) + GRACE_S
        scheme = "https" if load.tls else "http"
        headers = dict(load.headers)
        if load.body:
            headers.setdefault("content-type", "application/octet-stream")
        if load.new_connections:
            headers["connection"] = "close"
        command = [
            self.wrk,
            "-t1",
            f"-c{load.connections}",
            f"-d{whole}s",
            "-s",
            str(SCRIPT),
        ]
        command += [f"{scheme}://{HOST}:{port}{load.path}", "--"]
        command += [load.method, body, str(load.pipelined)]
        return command + [word for pair in headers.items() for word in pair]

    def talk(self, load: Load, talk: WebSocket, port: int, seconds: float) -> Counted:
        if not (self.clients and self.clients.is_file()):
            raise Unsupported("the WebSocket clients are not built (--clients)")
        command = [str(self.clients), "--port", str(port), "--seconds", str(seconds)]
        command += ["--connections", str(load.connections)]
        command += ["--in-flight", str(talk.in_flight)]
        if talk.broadcast:
            command.append("--broadcast")
        if talk.deflate:
            command += ["--extension", probe.DEFLATE_OFFER]
        else:
            command += ["--answer-bytes", str(talk.message_bytes)]
        # They come to an end by themselves.
        frame = probe.frame(probe.payload(talk), talk.deflate)
        return self.run(command, float(int(seconds) + GRACE_S), frame)

    def shake_hands(self, load: Load, port: int, seconds: float) -> Counted:
        """Full handshakes, each with one request, made by processes of `openssl s_time`.

        wrk would resume its sessions. There are no latencies; the time is rounded up.
        """
        words = ["openssl", "s_time", "-new", "-connect", f"{HOST}:{port}"]
        words += ["-www", load.path, "-time", str(math.ceil(seconds))]
        before, started = own_children_seconds(), time.monotonic()
        processes = [self.start(words) for _ in range(HANDSHAKE_PROCESSES)]
        outputs = [finish(one, "openssl", math.ceil(seconds), b"") for one in processes]
        elapsed = time.monotonic() - started
        made = [HANDSHAKES.search(output) for output, _ in outputs]
        if not all(made):
            said = (outputs[0][1] or outputs[0][0]).decode(errors="replace")
            raise Failure(f"openssl s_time: {said.strip()}")
        found = [tuple(map(int, match.groups())) for match in made if match]
        if unread := sum(count for count, answer_bytes in found if not answer_bytes):
            raise Failure(f"openssl s_time: {unread} connections without an answer")
        busy = (own_children_seconds() - before) / elapsed
        return Counted(sum(count for count, _ in found), elapsed, 0, 0, {}, busy)

    def start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=partial(os.sched_setaffinity, 0, {self.core}),
            )
        except FileNotFoundError:
            raise Unsupported(f"{command[0]} is not installed") from None

    def run(self, command: list[str], seconds: float, given: bytes = b"") -> Counted:
        name = Path(command[0]).name
        before = own_children_seconds()
        output, errors = finish(self.start(command), name, seconds, given)
        text = output.decode(errors="replace")
        last = text.rpartition('{"requests"')
        if not last[1]:
            said = errors.decode(errors="replace").strip() or text.strip()
            raise Failure(f"{name}: {said}")
        counted = json.loads(last[1] + last[2])
        elapsed = counted["duration_us"] / 1e6
        return Counted(
            counted["requests"],
            elapsed,
            counted["p50_us"],
            counted["p99_us"],
            {kind: count for kind, count in counted["errors"].items() if count},
            (own_children_seconds() - before) / elapsed,
        )


def finish(
    process: "subprocess.Popen[bytes]", name: str, seconds: float, given: bytes
) -> tuple[bytes, bytes]:
    """Waits for the end, which an interrupt brings about if the time is no whole number."""
    try:
        if seconds != int(seconds):
            try:
                return process.communicate(given, seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
        return process.communicate(given, seconds + GRACE_S)
    except subprocess.TimeoutExpired:
        raise Failure(f"{name} did not come to an end") from None
    finally:
        process.kill()
        process.wait()


def find_wrk() -> str:
    """wrk's path, or how to get it."""
    path = shutil.which("wrk")
    if not path:
        raise Failure(INSTALL)
    return path


def version(wrk: str) -> str:
    output = subprocess.run([wrk, "--version"], capture_output=True, text=True).stdout
    return " ".join(output.split()[:2])


def own_children_seconds() -> float:
    """CPU time of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
