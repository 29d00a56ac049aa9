"""Reads what callgrind has written: how many instructions each function has used itself.

The format is described in the manual of valgrind, "Callgrind Format Specification".
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

#: A name is given once with its number, and then the number alone.
NAME = re.compile(r"(?:\((\d+)\))?\s*(.*)")
COST = re.compile(r"[+\-*\d]\S* (\d+)")
#: An object file and a function in it.
Function = tuple[str, str]


def read(paths: Iterable[Path]) -> Counter[Function]:
    """Of all processes that have written a file."""
    total: Counter[Function] = Counter()
    for path in paths:
        with path.open(errors="replace") as lines:
            total += read_lines(lines)
    return total


def read_lines(lines: Iterable[str]) -> Counter[Function]:
    costs: Counter[Function] = Counter()
    names: dict[str, dict[str, str]] = {"ob": {}, "fn": {}}
    current = {"ob": "", "fn": ""}
    inclusive = False
    for line in lines:
        if found := COST.match(line):
            # The line behind `calls=` is what the called function has cost.
            if not inclusive:
                costs[current["ob"], current["fn"]] += int(found[1])
            inclusive = False
            continue
        key, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            continue
        inclusive = key == "calls"
        kind = key.removeprefix("c")
        if kind in names:
            name = resolve(names[kind], value)
            if key == kind:
                current[kind] = name
    return costs


def resolve(known: dict[str, str], value: str) -> str:
    """The name that stands for a number, or a name and its number to be kept."""
    found = NAME.fullmatch(value)
    number, name = (found[1], found[2]) if found else (None, value)
    if number is None:
        return name
    if name:
        known[number] = name
    return known.get(number, "")
