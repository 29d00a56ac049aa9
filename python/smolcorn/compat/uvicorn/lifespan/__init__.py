"""`uvicorn.lifespan`."""
