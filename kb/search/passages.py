"""What a search returns: the passages that its viewer may read, and how likely they contain an answer."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the viewer may read: `text` is `body[start:end]` of the revision.

    If the question was searched for as one part and without a context, the ratio of two scores says how much better
    one passage matches than the other (`fusion.fuse`); otherwise, only the order of scores is meaningful.
    """

    article_id: UUID
    external_id: str
    title: str
    url: str
    locale: str
    revision: int
    heading: str
    text: str
    start: int
    end: int
    score: float
    similarity: float | None
    chunk_id: UUID
    page: int | None = None  # the page of the file on which `text` begins


@dataclass(frozen=True, slots=True)
class Curated:
    """The answer that an editor wrote for a question, and what it cites."""

    article_id: UUID
    external_id: str
    title: str
    url: str
    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The result of a search; `confidence` is the probability that it contains an answer.

    `share` and `is_across` are for callers that look for the answer in the passages (`kb.search.confidence.Grounds`).
    `is_abroad` says that no article is in the question's language.
    """

    passages: tuple[Passage, ...]
    confidence: float
    is_answerable: bool
    took_ms: float
    share: float = 0.0
    is_across: bool = False
    is_abroad: bool = False
    curated: Curated | None = None  # the answer that an editor wrote for this question
    parts: int = 1  # the number of parts into which a long question was split
