"""Runs other people's programs that serve, and learns where they do."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from types import TracebackType

import smolcorn
from harness.deadline import DEADLINE_SECONDS
from harness.output import Output
from harness.server import environment

SERVED = ("-m", "smolcorn.compat")
"""Runs a tool in which smolcorn is in the place of uvicorn."""


def get(url: str, path: str = "/") -> tuple[str, bytes]:
    """The server's name and the body."""
    request = urllib.request.urlopen(url + path, timeout=DEADLINE_SECONDS)
    with request as answer:
        return answer.headers["server"], answer.read()


def heed_interrupts() -> None:
    """What a shell starts in the background ignores SIGINT, and so would what we start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Tool:
    """A process of its own, `python ARGUMENTS` in a folder, that can import smolcorn."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        search = [str(Path(smolcorn.__file__).parents[1]), str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment({"PYTHONPATH": os.pathsep.join(search), **variables}),
            cwd=folder,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        assert self.process.stdout and self.process.stderr
        self.stdout = Output("stdout", os.dup(self.process.stdout.fileno()))
        self.stderr = Output("stderr", os.dup(self.process.stderr.fileno()))
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self) -> "Tool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, Signals.SIGKILL)
            self.process.wait()
        self.stdout.wait_for_end()
        self.stderr.wait_for_end()

    def url(self, seconds: float = DEADLINE_SECONDS) -> str:
        """Waits for the banner, and returns the URL in it."""
        found = self.stderr.wait_for(
            r"Smolcorn running on (?P<url>http://\S+) \(", seconds=seconds
        )
        return str(found["url"]).replace("//0.0.0.0:", "//127.0.0.1:")

    def stop(self, number: Signals = Signals.SIGINT) -> int:
        """Asks it to stop, and returns the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Waits for the end, and returns the exit code."""
        return self.process.wait(DEADLINE_SECONDS)


def python(folder: Path, *arguments: str, **variables: str) -> Sequence[str]:
    """Runs it to its end, which must be a good one; returns what it has printed."""
    with Tool(folder, *arguments, **variables) as tool:
        status = tool.wait()
        tool.stdout.wait_for_end()
        tool.stderr.wait_for_end()
    assert status == 0, tool.stderr.text
    return tool.stdout.text.splitlines()
