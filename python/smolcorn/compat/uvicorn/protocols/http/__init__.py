"""`uvicorn.protocols.http`: names that programs choose an engine by. All mean ours."""
