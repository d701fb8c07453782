"""The included embedders; the setting `KB_EMBEDDER` can specify a different one."""
