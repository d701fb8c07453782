"""The version of this copy. It is the same as in `pyproject.toml` and the changelog."""

VERSION = "0.2.0.dev0"
