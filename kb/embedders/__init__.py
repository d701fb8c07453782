"""The included embedders; the setting `KB_EMBEDDER` can name others."""
