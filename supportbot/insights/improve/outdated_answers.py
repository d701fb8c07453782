"""Outdated answers: finds customers who were given information that an article no longer contains. A citation names the
revision that it quotes. If a quoted sentence has lost or changed a figure in the live revision, the customer may still
rely on the old one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from django.utils.timezone import now

from kb.models import Article, State
from supportbot.chat.models import Citation
from supportbot.insights.improve.contradictions import without
from supportbot.insights.models import Handled
from supportbot.language.detection import base_language
from supportbot.language.figures import figures_in, without_figures
from supportbot.language.sentences import sentences_of, without_list_mark
from supportbot.language.words import content_stems

KIND: Final = "recall"
DAYS: Final = 90
CHANGED_WITHIN_DAYS: Final = 30
MOST_ARTICLES: Final = 50
MOST: Final = 200
ALIKE: Final = 0.5


@dataclass(frozen=True, slots=True)
class AffectedCustomer:
    """A customer who was given the old text. `replacement` is the sentence that replaced it, or "" if there is none."""

    conversation: UUID
    customer: str
    at: datetime
    quoted: str
    revision: int  # the article's revision that the answer quoted
    replacement: str
    figures: tuple[str, ...]  # the figures in the old text that have changed


@dataclass(frozen=True, slots=True)
class Sentence:
    """An outdated sentence, and all customers who were given it, newest first.

    `subject` identifies it until the replacement changes or the sentence is quoted from a newer revision.
    """

    subject: UUID
    quoted: str
    replacement: str
    figures: tuple[str, ...]
    people: tuple[AffectedCustomer, ...]


@dataclass(frozen=True, slots=True)
class OutdatedAnswers:
    """A changed article, and the customers who were given its former text."""

    article: UUID
    title: str
    changed_at: datetime
    sentences: tuple[Sentence, ...]


def outdated_answers() -> list[OutdatedAnswers]:
    """Return the articles where a figure that customers were given has recently changed, newest change first. Dismissed
    sentences are left out.
    """
    since = now() - timedelta(days=CHANGED_WITHIN_DAYS)
    changed = Article.objects.filter(state=State.LIVE, published_at__gte=since, live_revision__number__gt=1)
    rows = changed.select_related("live_revision").order_by("-published_at", "pk")[:MOST_ARTICLES]
    handled = set(Handled.objects.filter(kind=KIND).values_list("subject", flat=True))
    found = (
        OutdatedAnswers(
            article=one.pk,
            title=one.title,
            changed_at=one.published_at or since,
            sentences=tuple(sentence for sentence in outdated_sentences(one) if sentence.subject not in handled),
        )
        for one in rows
    )
    return [one for one in found if one.sentences]


def outdated_sentences(article: Article) -> list[Sentence]:
    """Return each outdated sentence of an article once, most frequently quoted first."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[AffectedCustomer]] = {}
    for one in given_before(article):
        groups.setdefault((" ".join(one.quoted.split()), one.replacement, one.figures), []).append(one)
    found = [Sentence(_subject(article, *key, people), *key, tuple(people)) for key, people in groups.items()]
    return sorted(found, key=lambda one: -len(one.people))


def _subject(
    article: Article, quoted: str, replacement: str, figures: tuple[str, ...], people: list[AffectedCustomer]
) -> UUID:
    # The newest quoted revision is part of the id, so that a figure that returns and changes again is reported again.
    newest = max(one.revision for one in people)
    return uuid5(NAMESPACE_OID, "\0".join((str(article.pk), quoted, replacement, *figures, str(newest))))


def given_before(article: Article) -> Iterator[AffectedCustomer]:
    """Yield the customers who were given a sentence from an earlier revision whose figures have since changed, newest
    first.
    """
    live = article.live_revision
    if live is None:
        return
    language = base_language(article.locale)
    replacing = _Replacing(live.body, language)
    since = now() - timedelta(days=DAYS)
    cited = Citation.objects.filter(article_id=article.pk, revision__lt=live.number, message__created_at__gte=since)
    rows = cited.select_related("message__conversation__customer").order_by("-message__created_at", "position")
    seen: set[tuple[UUID, str]] = set()
    for citation in rows[:MOST]:
        conversation = citation.message.conversation
        for quoted in _sentences(citation.quote):
            if (conversation.pk, quoted) in seen:
                continue
            seen.add((conversation.pk, quoted))
            sentence, lost = replacing.of(quoted)
            if lost:
                at = citation.message.created_at
                yield AffectedCustomer(
                    conversation.pk, str(conversation.customer), at, quoted, citation.revision, sentence, lost
                )


def _sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a Markdown text, each on one line, without list marks and table borders."""
    for sentence in sentences_of(text):
        if cleaned := without_list_mark(" ".join(sentence.split())).strip("| "):
            yield cleaned


class _Replacing:
    """Finds the sentence in a new text that replaces an old sentence."""

    def __init__(self, body: str, language: str) -> None:
        self._body = " ".join(body.split())
        self._language = language
        self._stems = {text: self._about(text) for text in _sentences(body)}

    def of(self, old: str) -> tuple[str, tuple[str, ...]]:
        """Return the sentence that replaces an old one ("" if there is none), and the figures of the old sentence that
        are gone.
        """
        figures = figures_in(old)
        if not figures or old in self._body:
            return "", ()
        about = self._about(old)
        best = max(self._stems, key=lambda text: _share(about, self._stems[text]), default="")
        sentence = best if best and _share(about, self._stems[best]) >= ALIKE else ""
        lost = without(figures, figures_in(sentence or self._body))
        return sentence, tuple(old[one.start : one.end].rstrip(".,;") for one in lost)

    def _about(self, text: str) -> frozenset[str]:
        return frozenset(content_stems(without_figures(text), self._language))


def _share(ours: frozenset[str], theirs: frozenset[str]) -> float:
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 0.0
