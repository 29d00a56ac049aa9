"""Drives a server with wrk, and reads what wrk has counted."""

import json
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .failure import Failure
from .loads import Load

SCRIPT = Path(__file__).with_name("wrk.lua")
INSTALL = "wrk, which makes the load, is not on PATH: install it (`apt install wrk`)"
#: wrk gives up on a request after two seconds and stops soon after its time.
GRACE_S = 15


@dataclass(frozen=True)
class Counted:
    """What the clients saw. An error is a failed connection, read or write, a request without
    an answer in two seconds, or an answer whose status is not 2xx or 3xx."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: dict[str, int]
    #: The share of its core that wrk has used: near 1, wrk was the limit and not the server.
    generator_busy: float


def find() -> str:
    """wrk's path, or how to get it."""
    path = shutil.which("wrk")
    if not path:
        raise Failure(INSTALL)
    return path


def version(wrk: str) -> str:
    output = subprocess.run([wrk, "--version"], capture_output=True, text=True).stdout
    return " ".join(output.split()[:2])


def drive(wrk: str, core: int, load: Load, port: int, seconds: int) -> Counted:
    """Sends requests for so long, from one thread on this core."""
    options = ["-t1", f"-c{load.connections}", f"-d{seconds}s", "-s", str(SCRIPT)]
    request = [f"http://127.0.0.1:{port}/", "--", load.method, str(load.body_bytes)]
    before = own_children_seconds()
    try:
        run = subprocess.run(
            [wrk, *options, *request],
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_S,
            preexec_fn=partial(os.sched_setaffinity, 0, {core}),
        )
    except subprocess.TimeoutExpired:
        raise Failure("wrk did not come to an end") from None
    last = run.stdout.rpartition('{"requests"')
    if run.returncode or not last[1]:
        raise Failure(f"wrk: {(run.stderr or run.stdout).strip() or run.returncode}")
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


def own_children_seconds() -> float:
    """CPU time of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
