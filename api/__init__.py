"""The window onto the cases: HTTP API and map."""
