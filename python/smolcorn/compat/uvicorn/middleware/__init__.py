"""`uvicorn.middleware`."""
