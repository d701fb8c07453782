"""Loading documents from files and folders, one item at a time.

An unreadable item raises nothing: it becomes a `Failure` that says where it is, what is wrong and what to do, and
loading continues.
"""

from kb.importing.loaders.file_discovery import load

__all__ = ["load"]
