"""Puts smolcorn under the loads of the suite, so that a compiler sees what it does: `make PGO=1`.

Runs in an environment whose smolcorn counts what it does, or with such a binary. LLVM_PROFILE_FILE
says where the counts go. What no load runs the compiler takes for cold, so every kind of load is
here, and both placements.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from measure import generator, machine
from measure.failure import Failure
from measure.generator import Generator
from measure.loads import LOADS, Load
from measure.process import Workshop, check
from measure.servers import SUBJECT, Launch, Server, like_uvicorn

SECONDS = 0.4
#: By the options that make the difference.
VARIANTS = {
    "fused, uvloop": ("--loop", "uvloop"),
    "fused, asyncio": ("--loop", "asyncio"),
    "threads": ("--loop", "uvloop", "--io-threads", "1"),
}


def is_fit(load: Load) -> bool:
    """One process of this interpreter; what more of them do is the same."""
    return load.workers == 1 and not load.other_python


def server_of(program: Path | None, options: tuple[str, ...]) -> Server:
    """The environment's smolcorn, or the binary."""

    def command(launch: Launch) -> list[str]:
        words = like_uvicorn(SUBJECT, *options)(launch)
        if program is None:
            return words
        # In the place of `python -m smolcorn`.
        return [str(program), "--python", launch.python, *words[3:]]

    return Server(SUBJECT, command)


def train(
    workshop: Workshop, load: Load, driver: Generator, program: Path | None
) -> None:
    cores = machine.choose_cores().of_server(1)
    for variant, options in VARIANTS.items():
        print(f"{load.name}: {variant}", flush=True)
        server = server_of(program, options)
        with workshop.running(server, workshop.launch(load), cores) as running:
            check(running, load)
            driver.drive(load, running.port, SECONDS)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--clients", type=Path, required=True, metavar="PATH")
    parser.add_argument("--program", type=Path, metavar="PATH", help="the binary")
    options = parser.parse_args()
    try:
        core = machine.choose_cores().generator
        driver = Generator(generator.find_wrk(), core, options.clients)
        with tempfile.TemporaryDirectory() as folder:
            # A process that dies of its signal, as after SIGTERM, writes no profile.
            workshop = Workshop(Path(folder), stop_signal=signal.SIGINT)
            for load in filter(is_fit, LOADS):
                train(workshop, load, driver, options.program)
    except Failure as failure:
        print(f"train.py: {failure}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
