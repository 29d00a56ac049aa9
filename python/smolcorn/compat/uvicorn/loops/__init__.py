"""`uvicorn.loops`."""
