"""Says what the Makefile must know of the interpreter that runs this.

Prints its path, its version (`3.13`, or `3.13t` when free-threaded) and `shared` if there is a
libpython to link with. Prints nothing if smolcorn does not run on it.
"""

import os
import sys
import sysconfig

OLDEST = (3, 10)


def main() -> None:
    if sys.version_info < OLDEST or sys.implementation.name != "cpython":
        return
    version = "{}.{}".format(*sys.version_info)
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        version += "t"
    print(sys.executable, version, "shared" if has_libpython() else "")


def has_libpython() -> bool:
    """Whether the library that a linker asks for is there, and not only its archive."""
    if sysconfig.get_config_var("PYTHONFRAMEWORK"):
        return True
    folder = sysconfig.get_config_var("LIBDIR")
    name = sysconfig.get_config_var("LDLIBRARY")
    if not folder or not name or name.endswith(".a"):
        return False
    return os.path.exists(os.path.join(folder, name))


main()
