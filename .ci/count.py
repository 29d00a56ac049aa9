"""Runs test suites and checks, and adds up what their runners say.

    count.py tests FILE -- COMMAND...   runs a suite of tests, notes their counts in FILE
    count.py suites FILE -- COMMAND...  runs something that runs suites by this script
    count.py check FILE -- COMMAND...   runs a check: notes a failure, or nothing
    count.py sum FOLDER...              adds up the files, prints the counts as the last line

Only `sum` ends with an exit status that tells of failures, so that one failed suite does not
keep the others from running. A suite that ends badly counts as a failure, whatever it has
counted, and so does one that ran no test. One that hangs is ended.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

SUITE_SECONDS_MAX = 25 * 60
"""How long a suite may run until it counts as hanging."""
MERCY_SECONDS = 20
"""How long a suite that is told to stop may take to end what it has started."""

ANSI = re.compile(r"\x1b\[[0-9;]*m")
CARGO = re.compile(r"^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored;")
PYTEST = re.compile(r"^=* ?((?:\d+ \w+(?:, )?)+) in [0-9.]+s\b.*$")
PYTEST_COUNT = re.compile(r"(\d+) (\w+)")
PYTEST_KINDS = {
    "passed": "passed",
    "failed": "failed",
    "error": "failed",
    "errors": "failed",
    "xpassed": "passed",
    "skipped": "skipped",
    "xfailed": "skipped",
}


def count(line: str) -> Counter[str]:
    """What a runner's closing line counts; nothing for any other line."""
    line = ANSI.sub("", line)
    if found := CARGO.match(line):
        passed, failed, ignored = map(int, found.groups())
        return Counter(passed=passed, failed=failed, skipped=ignored)
    counts: Counter[str] = Counter()
    if found := PYTEST.match(line):
        for number, kind in PYTEST_COUNT.findall(found[1]):
            if kind in PYTEST_KINDS:
                counts[PYTEST_KINDS[kind]] += int(number)
    return counts


def stop(process: "subprocess.Popen[str]") -> None:
    """Ends a suite and what it has started."""
    for number, seconds in ((signal.SIGINT, MERCY_SECONDS), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def give_up(process: "subprocess.Popen[str]") -> None:
    """Says that a suite hangs, and ends it."""
    print(f"Hangs: not done after {SUITE_SECONDS_MAX} s.", flush=True)
    stop(process)


def run(command: list[str], seconds_max: float | None) -> tuple[Counter[str], int]:
    """Runs the command, shows its output as it comes, and counts."""
    counts: Counter[str] = Counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # A group of its own, so that all of it can be ended.
        start_new_session=True,
    ) as process:
        assert process.stdout
        timer = threading.Timer(seconds_max or 0, give_up, [process])
        if seconds_max:
            timer.start()
        try:
            for line in process.stdout:
                sys.stdout.write(line)
                sys.stdout.flush()
                counts += count(line)
        except KeyboardInterrupt:
            stop(process)
            raise
        finally:
            timer.cancel()
    return counts, process.returncode


def note(kind: str, file: Path, command: list[str]) -> None:
    """Runs one suite or check and writes down what came of it."""
    print(f"==> {file.name}: {' '.join(command)}", flush=True)
    counts, status = run(command, SUITE_SECONDS_MAX if kind == "tests" else None)
    if kind == "check":
        counts = Counter(failed=int(status != 0))
    elif not counts["failed"]:
        ran_none = not counts["passed"]
        counts["failed"] = int(status != 0 or ran_none)
        if ran_none:
            print(f"{file.name}: no test ran")
    if status:
        print(f"{file.name}: ended with status {status}", flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(counts))


def total(folders: list[Path]) -> int:
    """Prints the counts of each suite and of all; returns the exit status."""
    counts: Counter[str] = Counter()
    for file in sorted(file for folder in folders for file in folder.iterdir()):
        part = Counter(json.loads(file.read_text()))
        counts.update(part)
        if part["failed"]:
            print(f"{file}: {part['failed']} failed")
    print("{passed} passed, {failed} failed, {skipped} skipped".format_map(counts))
    return int(counts["failed"] > 0 or counts["passed"] == 0)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["sum", *folders] if folders:
            return total([Path(folder) for folder in folders])
        case [("tests" | "suites" | "check") as kind, file, "--", *command] if command:
            note(kind, Path(file), command)
            return 0
    print(__doc__, file=sys.stderr)
    return 2


sys.exit(main(sys.argv[1:]))
