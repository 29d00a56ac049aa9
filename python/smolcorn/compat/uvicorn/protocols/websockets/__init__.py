"""`uvicorn.protocols.websockets`: names that programs choose an engine by."""
