"""Embedders that need nothing outside this room; others are named by the setting `KB_EMBEDDER`."""
