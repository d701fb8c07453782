"""Reading files and folders into documents, one item at a time.

Nothing raises for a bad item: each becomes a `Failure` that names the place, the cause and the way out, and reading
goes on.
"""

from kb.importing.loaders.files import load

__all__ = ["load"]
