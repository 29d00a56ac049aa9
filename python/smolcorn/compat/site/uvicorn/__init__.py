"""Found before the real package by processes under `python -m smolcorn.compat`."""

from smolcorn import compat

compat.install()
