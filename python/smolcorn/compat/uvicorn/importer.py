"""`uvicorn.importer`."""

from smolcorn.importer import ImportFromStringError, import_from_string

__all__ = ["ImportFromStringError", "import_from_string"]
