"""The engine: a self-hosted server that speaks both dialects of the image API (API_CONTRACT.md).

Tasks are kept in memory: after a restart a task is unknown (404), as results are gone with their hour anyway.
"""
