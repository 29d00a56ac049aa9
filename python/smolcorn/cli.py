"""The command line. Options are parsed in native code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def script() -> NoReturn:
    """The console script: a process that is for nothing else."""
    _run(sys.argv[1:], may_become_other=True)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs a command line, by default that of this process, and exits with its
    status."""
    _run(sys.argv[1:] if args is None else list(args), may_become_other=False)


def _run(args: list[str], may_become_other: bool) -> NoReturn:
    from smolcorn import _core

    status = _core.main(args, may_become_other)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`smolcorn --help | head -1`). Python would flush again
        # at exit and complain; now that flush has somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
