"""Compiles modules of the package for the binary. The build script runs it:

    compile.py FOLDER NAME=PATH ...

and finds FOLDER/NAME.pyc then.
"""

import py_compile
import sys


def main(folder: str, modules: list[str]) -> None:
    for module in modules:
        name, _, path = module.partition("=")
        py_compile.compile(
            path,
            f"{folder}/{name}.pyc",
            # The importer puts the real path in its place.
            dfile=name,
            doraise=True,
            optimize=0,
            # Nothing that it could be held against is there when it is imported.
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
