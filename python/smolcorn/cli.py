"""The console script. Options are parsed in native code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs a command line, by default that of this process, and exits with its
    status."""
    from smolcorn import _core

    status = _core.main(sys.argv[1:] if args is None else list(args))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`smolcorn --help | head -1`). Python would flush again
        # at exit and complain; now that flush has somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
