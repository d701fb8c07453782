"""Loading documents from files and folders, one item at a time.

A bad item does not raise: it becomes a `Failure` with its place, what is wrong and what to do, and loading continues.
"""

from kb.importing.loaders.file_discovery import load

__all__ = ["load"]
