"""Runs the Autobahn test suite against an echo server in each placement: `make autobahn`.

The suite is the client. What it finds is printed as a table, one row for each placement, and
every case that is not clean by name. The exit status is 0 if all are.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.server import Server  # noqa: E402

PLACEMENTS = {
    "fused": ("--io-threads", "0"),
    "threads": ("--io-threads", "2", "--loop", "asyncio"),
}
CLEAN = ("OK", "INFORMATIONAL")
"""Informational cases have no right answer: the suite only shows what a server does."""

GROUPS = {
    "1": "framing",
    "2": "pings, pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "sizes, limits",
    "10": "auto-fragmentation",
    "12": "compression",
    "13": "compression, parameters",
}


def main() -> int:
    """Runs it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wstest", required=True, help="the suite's program")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for its reports"
    )
    parser.add_argument("--cases", nargs="*", default=["*"], help='such as "9.*"')
    parser.add_argument("--ws", default="auto", help="the engine")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    servers = {
        name: Server("apps.sockets:app", "--port", "0", "--ws", arguments.ws, *options)
        for name, options in PLACEMENTS.items()
    }
    try:
        for server in servers.values():
            server.wait_until_ready()
        found = run_suite(arguments, servers)
    finally:
        for server in servers.values():
            server.kill()
    return show(found)


def run_suite(
    arguments: argparse.Namespace, servers: dict[str, Server]
) -> dict[str, Any]:
    """Lets the suite run, and returns its index: placement, case, result."""
    specification = arguments.out / "spec.json"
    specification.write_text(
        json.dumps(
            {
                "outdir": str(arguments.out),
                "servers": [
                    {"agent": name, "url": f"ws://127.0.0.1:{server.port}/echo"}
                    for name, server in servers.items()
                ],
                "cases": arguments.cases,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )
    )
    with (arguments.out / "wstest.log").open("w") as log:
        subprocess.run(
            [arguments.wstest, "-m", "fuzzingclient", "-s", str(specification)],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    index: dict[str, Any] = json.loads((arguments.out / "index.json").read_text())
    return index


def show(found: dict[str, Any]) -> int:
    """Prints the table and what is not clean."""
    bad = []
    print(f"{'group':<28}" + "".join(f"{name:>24}" for name in found))
    for group, about in GROUPS.items():
        row = f"{group + ' ' + about:<28}"
        for name, cases in found.items():
            counts: Counter[str] = Counter()
            for case, result in cases.items():
                if case.split(".")[0] != group:
                    continue
                ways = {result["behavior"], result["behaviorClose"]}
                worst = next((way for way in ways if way not in CLEAN), None)
                counts[worst or result["behavior"]] += 1
                if worst:
                    bad.append(f"{name}: case {case}: {sorted(ways)}")
            text = ", ".join(f"{count} {way}" for way, count in sorted(counts.items()))
            row += f"{text or '-':>24}"
        print(row)
    for line in bad:
        print(line)
    total = sum(len(cases) for cases in found.values())
    print(f"{total - len(bad)} of {total} are clean.")
    return 1 if bad or not total else 0


if __name__ == "__main__":
    sys.exit(main())
