"""`python -m smolcorn`."""

from smolcorn.cli import script

if __name__ == "__main__":
    script()
