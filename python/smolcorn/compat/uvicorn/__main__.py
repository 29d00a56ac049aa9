"""`python -m uvicorn`."""

from smolcorn.cli import script

if __name__ == "__main__":
    script()
