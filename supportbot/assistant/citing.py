"""Finds the citations of an answer's sentences and numbers their markers. Pure.

We find the cited spans in the pages ourselves and number them in order of appearance. A model's marker is only a hint
about the page.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from supportbot.assistant.checks.evidence import CITED_FROM, Evidence, Sentence, key_of
from supportbot.chat.answers import CitedSpan
from supportbot.language.sentences import MARKER, fenced_part, marked_sources, sources_of, unmarked
from supportbot.translation import text_in

MAX_CITED: Final = 3  # sources per sentence
# text between two spans of one paragraph
_RUNS_ON: Final = re.compile(r"[ \t|]*\n?[ \t>|*_•+-]*(?:\d{1,2}[.)])?[ \t|*_]*")


class Citations:
    """The spans cited so far; `site` is the base URL of our own help pages."""

    def __init__(self, evidence: Evidence, site: str) -> None:
        self.spans: list[CitedSpan] = []
        self._evidence = evidence
        self._site = site

    def in_text(self, text: str) -> tuple[CitedSpan, ...]:
        """Return the spans whose numbers occur in a text."""
        numbers = marked_sources(text)
        return tuple(span for number, span in enumerate(self.spans, start=1) if number in numbers)

    def cite(self, sentence: Sentence, *, joins: bool = False) -> Sentence:
        """Return a sentence with only its valid markers, each with the number of its citation.

        With `joins`, a span that follows the last one in its paragraph extends it, so a paragraph is cited as a whole.
        """
        if sentence.withheld:
            return sentence
        named = marked_sources(sentence.raw)
        has_sources = not sentence.is_recorded and (sentence.is_claim or named)
        spans = self._sources_of(sentence, named) if has_sources else {}
        numbers = {number: self._number(span, joins=joins) for number, span in spans.items()}
        is_named = numbers.keys() <= set(named)
        shown = _renumbered(sentence.raw, numbers) if is_named else _numbered(sentence.raw, min(numbers.values()))
        return replace(sentence, shown=shown, cited=tuple(spans))

    def _sources_of(self, sentence: Sentence, named: Sequence[int]) -> dict[int, CitedSpan]:
        """Return the sources of a sentence by number: the named ones that support it, or else the best one that does.

        If vectors support a sentence whose words do not, a named source is accepted.
        """
        sources = self._evidence.sources
        said, asked = key_of(sentence.words), self._evidence.telling(sentence.words)
        numbers = [number for number in named if 1 <= number <= len(sources)]
        shares = {
            number: 1.0 if said in (source := sources[number - 1]).quotable else min(0.99, source.share(asked))
            for number in numbers or range(1, len(sources) + 1)
        }
        best = sorted(filter(shares.__getitem__, shares), key=lambda number: -shares[number])
        chosen = [number for number in best[:MAX_CITED] if shares[number] >= CITED_FROM]
        if not numbers or (chosen and shares[chosen[0]] == 1):
            chosen = chosen[:1]
        if not chosen and numbers and (sentence.support.score or 0) >= CITED_FROM:
            chosen = (best or numbers)[:1]
        return {
            number: source.span(*(source.quotable.get(said) or source.best_run(asked)), self._site)
            for number in chosen
            if (source := sources[number - 1]).units
        }

    def _number(self, span: CitedSpan, *, joins: bool) -> int:
        for number, known in enumerate(self.spans, start=1):
            if (known.article_id, known.start, known.end) == (span.article_id, span.start, span.end):
                return number
        if joins and self.spans and (longer := self._joined(self.spans[-1], span)) is not None:
            self.spans[-1] = self._titled(longer)
        else:
            self.spans.append(self._titled(span))
        return len(self.spans)

    def _titled(self, span: CitedSpan) -> CitedSpan:
        """Return a span whose title names its page, if the article was made from a file with pages."""
        if span.page is None:
            return span
        title = text_in(self._evidence.language, "{title}, page {page}", title=span.title, page=span.page)
        return replace(span, title=title)

    def _joined(self, one: CitedSpan, other: CitedSpan) -> CitedSpan | None:
        """Return one span for two adjacent ones in a paragraph, list or row; None if they are not adjacent."""
        for source in self._evidence.sources:
            offset, text = source.passage.start, source.passage.text
            is_here = source.passage.article_id == one.article_id == other.article_id
            is_behind = offset <= one.start and one.end <= other.start and other.end <= offset + len(text)
            if is_here and is_behind and _RUNS_ON.fullmatch(text, one.end - offset, other.start - offset):
                return source.between(one.start - offset, other.end - offset, self._site)
        return None


def _numbered(raw: str, number: int) -> str:
    """Append the number of its source to a sentence that names none."""
    code, said = fenced_part(raw)
    bare = f"{code}{unmarked(said)}".rstrip()
    blanks = raw[len(raw.rstrip()) :]
    # the closing line of a fence must contain nothing else
    return f"{bare}{chr(10) if code else ' '}[{number}]{blanks}"


def _renumbered(raw: str, numbers: Mapping[int, int]) -> str:
    """Return a sentence with only the markers of its sources; brackets in code blocks are unchanged."""
    code, said = fenced_part(raw)
    shown = said
    for marker in reversed(list(MARKER.finditer(said))):
        valid = dict.fromkeys(numbers[number] for number in sources_of(marker) if number in numbers)
        start = marker.start() if valid else len(said[: marker.start()].rstrip())
        shown = shown[:start] + "".join(f"[{number}]" for number in valid) + shown[marker.end() :]
    return f"{code}{shown}"
