"""The version of this copy. `pyproject.toml` and the changelog name the same one."""

VERSION = "0.2.0.dev0"
