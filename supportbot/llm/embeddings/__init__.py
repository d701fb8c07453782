"""Calls to embedding models: the servers, the routes to them, and the embedders that `kb` uses."""
