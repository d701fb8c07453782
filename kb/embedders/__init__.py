"""Embedders without dependencies outside this package; the setting `KB_EMBEDDER` can name others."""
