"""The interface of a kind of source: it lists the items, fetches one item, and reads it.

A new kind is a class with these three methods, and its line in `kinds.py`. The engine does everything else: states,
resuming, comparing, publishing, archiving.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kb.importing.categories import CategoryFile
from kb.importing.parsed_document import Document, Failure, UnchangedDocument


@dataclass(frozen=True, slots=True)
class Place:
    """An item by its key: an address or a path. `depth` is its distance from the start."""

    key: str
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """The last run's information about an item."""

    key: str
    depth: int = 0
    etag: str = ""
    last_modified: str = ""
    # Digests of the files in a zip that need not be read again.
    entries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An item's content as a file. `name` hints at its format; `facts` are for the `read` method of the same kind."""

    file: Path
    name: str
    etag: str = ""
    last_modified: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """According to the origin itself, nothing has changed."""


@dataclass(frozen=True, slots=True)
class ItemGone:
    """The item is no longer there."""

    reason: str


@dataclass(frozen=True, slots=True)
class ItemSkipped:
    """The item is not one of the source's articles, but the items it links to may be."""

    reason: str
    found: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The origin asks us to wait."""

    wait: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """The documents of an item, and the items it links to."""

    items: Sequence[Document | Failure | UnchangedDocument]
    found: tuple[Place, ...] = ()
    is_partial: bool = False  # something is missing for now, so the next run reads the item again
    entries: Mapping[str, str] = field(default_factory=dict)  # digests of files in a zip, by the ids of the documents


@dataclass(frozen=True, slots=True)
class Origin:
    """A source as its kind sees it. `memory` can be changed; it is stored after each time slice."""

    source_id: Any
    address: str
    config: dict[str, Any]
    memory: dict[str, Any]
    delay_seconds: float = 0.0
    allows_private: bool = False
    is_check: bool = False  # a dry run
    still_working: Callable[[], None] = lambda: None  # called between the steps of long work; raises if it must end


class Kind(Protocol):
    # The listing is complete: a known item that is not in it is gone. Otherwise, every known item is fetched.
    is_complete: bool
    # Missing items were removed by a person, so no loss is too large.
    is_deliberate: bool
    # Fetching puts load on others, so the content that a dry run has fetched is kept for the next run.
    is_remote: bool

    def __init__(self, origin: Origin) -> None: ...

    def places(self) -> Iterable[Place]:
        """Return where to begin. Raises SourceUnreadable or Unreadable if the source cannot be read at all."""

    def wants(self, key: str) -> bool:
        """Return whether a known item still belongs to the source according to its settings."""

    def fetch(self, known: Known, folder: Path) -> Fetched | Unchanged | ItemGone | ItemSkipped | RetryLater:
        """Fetch one item's content into `folder`. Raises Unreadable."""

    def read(self, known: Known, fetched: Fetched) -> Read | ItemSkipped:
        """Return the documents in the content. Raises InvalidDocument."""


@runtime_checkable
class HasCategories(Protocol):
    """A kind whose items may be an export of `kb_export`, with a separate file for the categories."""

    def categories(self) -> Iterable[CategoryFile]:
        """Return the files with categories."""

    def categories_stamp(self) -> str:
        """Return a value that differs if the files may have changed; "" if they must be read to find out."""
