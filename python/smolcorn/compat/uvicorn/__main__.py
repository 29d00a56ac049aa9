"""`python -m uvicorn`."""

from smolcorn.cli import main

if __name__ == "__main__":
    main()
