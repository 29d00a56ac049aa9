"""The command line. Options are parsed in native code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def script() -> NoReturn:
    """The console script: a process that is for nothing else."""
    _run(None, may_become_other=True)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs a command line, by default that of this process, and exits with its
    status."""
    _run(args, may_become_other=False)


def _run(args: Sequence[str] | None, may_become_other: bool) -> NoReturn:
    from smolcorn import _core

    if args is None:
        _open_standard_streams()
        args = sys.argv[1:]
    # Bytes that are no text in the locale's encoding arrive as lone surrogates.
    words = [os.fsencode(word).decode("utf-8", "replace") for word in args]
    status = _core.main(words, may_become_other)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`smolcorn --help | head -1`). Python would flush again
        # at exit and complain; now that flush has somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _open_standard_streams() -> None:
    """Opens those of descriptors 0, 1 and 2 with which the process was not born.
    Sockets would get these numbers otherwise, and what is printed with them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free, for those below it are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
