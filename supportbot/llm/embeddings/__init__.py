"""Calls to embedding models: their servers, the routes to them, and the embedders that `kb` uses."""
