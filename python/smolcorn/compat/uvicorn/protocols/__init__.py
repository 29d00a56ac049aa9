"""`uvicorn.protocols`."""
