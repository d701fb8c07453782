"""Assembles an answer: finds and numbers the citations of the sentences that the checks keep, and adds the tools'
closing texts. Pure.

The cited spans are searched for in the pages and numbered in order of appearance. A model's marker only indicates the
page.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kb.search import Curated
from supportbot.assistant.checks.evidence import (
    CITED_FROM,
    Evidence,
    Sentence,
    Strictness,
    is_confirmed,
    key_of,
    mean_support,
)
from supportbot.assistant.texts import LEFT_OUT, NOT_FOUND, UNCONFIRMED
from supportbot.assistant.tool_results import ToolResult
from supportbot.builtin.phrases import (
    asks_back,
    is_offer_of_a_person,
    is_regret,
    is_small_talk,
    says_a_person_can_take_over,
)
from supportbot.chat.answers import Answer, CitedSpan, Withheld
from supportbot.language.plain_text import without_pictures
from supportbot.language.sentences import LEADS, MARKER, fenced_part, list_mark, marked_sources, sources_of, unmarked
from supportbot.translation import text_in

MAX_CITED: Final = 3  # sources per sentence
# text between two spans of one paragraph
_RUNS_ON: Final = re.compile(r"[ \t|]*\n?[ \t>|*_•+-]*(?:\d{1,2}[.)])?[ \t|*_]*")
MAX_CARDS: Final = 10
_SAYING: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "So"})


class Citations:
    """The spans cited so far. `site` is the base URL of our own help pages."""

    def __init__(self, evidence: Evidence, site: str) -> None:
        self.spans: list[CitedSpan] = []
        self._evidence = evidence
        self._site = site

    def in_text(self, text: str) -> tuple[CitedSpan, ...]:
        """Return the spans whose numbers occur in the text."""
        numbers = marked_sources(text)
        return tuple(span for number, span in enumerate(self.spans, start=1) if number in numbers)

    def cite(self, sentence: Sentence, *, joins: bool = False) -> Sentence:
        """Return a sentence with only its valid markers, numbered like the citations.

        If `joins` is true, a span that directly follows the last one in the same paragraph extends it, so that a
        paragraph is cited as a whole.
        """
        if sentence.withheld:
            return sentence
        named = marked_sources(sentence.raw)
        has_sources = not sentence.is_recorded and (sentence.is_claim or named)
        spans = self._sources_of(sentence, named) if has_sources else {}
        numbers = {number: self._number(span, joins=joins) for number, span in spans.items()}
        is_named = numbers.keys() <= set(named)
        shown = _renumbered(sentence.raw, numbers) if is_named else _numbered(sentence.raw, min(numbers.values()))
        cited = tuple(spans)
        if (shown, cited) == (sentence.shown, sentence.cited):  # the case for most sentences
            return sentence
        return replace(sentence, shown=shown, cited=cited)

    def _sources_of(self, sentence: Sentence, named: Sequence[int]) -> dict[int, CitedSpan]:
        """Return the sources of a sentence by number: those named in it that support it, or else the source that
        supports it best.

        If only vectors support the sentence, and not its words, a named source is accepted.
        """
        sources = self._evidence.sources
        key, asked = key_of(sentence.words), self._evidence.telling(sentence.words)
        numbers = [number for number in named if 1 <= number <= len(sources)]
        shares = {
            number: 1.0 if key in (source := sources[number - 1]).quotable else min(0.99, source.share(asked))
            for number in numbers or range(1, len(sources) + 1)
        }
        best = sorted(filter(shares.__getitem__, shares), key=lambda number: -shares[number])
        chosen = [number for number in best[:MAX_CITED] if shares[number] >= CITED_FROM]
        if not numbers or (chosen and shares[chosen[0]] == 1):
            chosen = chosen[:1]
        if not chosen and numbers and (sentence.support.score or 0) >= CITED_FROM:
            chosen = (best or numbers)[:1]
        return {
            number: source.span(*(source.quotable.get(key) or source.best_run(asked)), self._site)
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
        """Return the span, with its page in the title if the article was made from a file with pages."""
        if span.page is None:
            return span
        title = text_in(self._evidence.language, "{title}, page {page}", title=span.title, page=span.page)
        return replace(span, title=title)

    def _joined(self, one: CitedSpan, other: CitedSpan) -> CitedSpan | None:
        """Return one span that joins two adjacent spans of a paragraph, list or row; None if they are not adjacent."""
        for source in self._evidence.sources:
            offset, text = source.passage.start, source.passage.text
            is_here = source.passage.article_id == one.article_id == other.article_id
            is_behind = offset <= one.start and one.end <= other.start and other.end <= offset + len(text)
            if is_here and is_behind and _RUNS_ON.fullmatch(text, one.end - offset, other.start - offset):
                return source.between(one.start - offset, other.end - offset, self._site)
        return None


def _numbered(raw: str, number: int) -> str:
    """Return a sentence that cites no source itself, with the number of its source appended."""
    code, prose = fenced_part(raw)
    bare = f"{code}{unmarked(prose)}".rstrip()
    blanks = raw[len(raw.rstrip()) :]
    # the closing line of a fence must contain nothing else
    return f"{bare}{chr(10) if code else ' '}[{number}]{blanks}"


def _renumbered(raw: str, numbers: Mapping[int, int]) -> str:
    """Return a sentence with only the markers of its sources, renumbered. Brackets in code blocks are unchanged."""
    code, prose = fenced_part(raw)
    shown = prose
    for marker in reversed(list(MARKER.finditer(prose))):
        valid = dict.fromkeys(numbers[number] for number in sources_of(marker) if number in numbers)
        start = marker.start() if valid else len(prose[: marker.start()].rstrip())
        shown = shown[:start] + "".join(f"[{number}]" for number in valid) + shown[marker.end() :]
    return f"{code}{shown}"


def compose(
    sentences: Sequence[Sentence], spans: Sequence[CitedSpan], *, by: str, language: str, strictness: Strictness
) -> Answer:
    """Return the answer made up of these sentences, with a list of those that were withheld. Its text is never
    empty.
    """
    text = "".join(_shown(sentences, language)).strip()
    kept = [sentence for sentence in sentences if not sentence.withheld]
    withheld = tuple(
        Withheld(one.withheld, one.words, one.support.score)
        for one in sentences
        if one.withheld and one.withheld != "repeated"
    )
    has_ground = any(one.is_recorded or one.cited for one in kept)
    has_claims = any(one.needs_ground for one in kept)
    if not _has_content(text) or (withheld and not has_ground and not has_claims):
        return _abstention(withheld, by=by, language=language)
    if by == "builtin":
        offers = is_offer_of_a_person(text) or says_a_person_can_take_over(text)
        is_unknown = not (has_ground or asks_back(text) or is_small_talk(text))
        return Answer(text, tuple(spans), by, is_abstention=is_unknown, offers_human=offers, withheld=withheld)
    confirmed = is_confirmed(kept)
    if confirmed is None and any(one.is_regret for one in kept):
        return Answer(text, (), by, is_abstention=True, offers_human=True, withheld=withheld)
    if confirmed is not False or strictness == "open":
        return Answer(text, tuple(spans), by, is_confirmed=confirmed, withheld=withheld)
    if strictness == "strict":
        whole = Withheld("unconfirmed", text, mean_support(kept))
        return _abstention((*withheld, whole), by=by, language=language)
    text = "\n\n".join((unmarked(text), text_in(language, UNCONFIRMED)))
    return Answer(text, (), by, is_confirmed=False, offers_human=True, withheld=withheld)


def finalize(
    answer: Answer,
    results: Sequence[ToolResult],
    summaries: Sequence[str],
    blocks: tuple[Mapping[str, Any], ...] = (),
    cards: tuple[Mapping[str, Any], ...] = (),
) -> Answer:
    """Return the answer with its tool calls' closing texts. The text before them is kept only if it has sources, or if
    it is the built-in answerer's apology.

    Without a closing text, an abstention is replaced by the summaries of the look-ups. A quotation or an apology by the
    built-in answerer is followed by them, and any other answer keeps its buttons and forms. If there are none, cards
    show the newest records that were looked up. An answer with a closing text has no cards. A handoff is offered if a
    tool call requests it.
    """
    offers_human = any(result.offers_human for result in results)
    closings = list(dict.fromkeys(result.closing for result in results if result.closing))
    shown = () if closings else cards[-MAX_CARDS:]
    is_quotation = answer.by == "builtin" and bool(answer.citations)
    has_regret = answer.by == "builtin" and is_regret(answer.text)
    if not closings and (answer.is_abstention or is_quotation or has_regret):
        closings = list(dict.fromkeys(summaries))
    if not closings:
        asked = () if answer.is_abstention else blocks
        return replace(answer, offers_human=answer.offers_human or offers_human, blocks=asked or shown)
    before = answer.text if answer.citations or has_regret else ""
    offers_human = offers_human or ((has_regret or is_quotation) and answer.offers_human)
    new = [closing for closing in closings if closing not in before]
    text = "\n\n".join(part for part in (before, *new) if part)
    return replace(answer, text=text, is_abstention=False, offers_human=offers_human, blocks=shown)


def _has_content(text: str) -> bool:
    """Return whether the text contains a letter, a figure or a pictograph, and not only punctuation."""
    return any(unicodedata.category(sign) in _SAYING for sign in text)


def _abstention(withheld: tuple[Withheld, ...], *, by: str, language: str) -> Answer:
    text = text_in(language, NOT_FOUND)
    return Answer(text, (), by, is_abstention=True, offers_human=True, withheld=withheld)


def _shown(sentences: Sequence[Sentence], language: str) -> Iterator[str]:
    """Yield the texts to show. A placeholder stands for a withheld list item or introduction to a list."""
    for one in sentences:
        mark, is_lead = list_mark(one.raw), one.words.rstrip("*_ \n").endswith(LEADS)
        if not one.withheld:
            yield one.shown
        elif one.withheld not in ("repeated", "cut_off") and (mark or is_lead):
            blanks = one.raw[len(one.raw.rstrip()) :] or "\n"
            yield mark + text_in(language, LEFT_OUT) + blanks


def answer_from_curated(curated: Curated) -> Answer:
    """Return an article's curated answer, word for word, with a citation of the article. No model is involved."""
    text = without_pictures(curated.text.strip()) or curated.title
    mark = "\n\n[1]" if text.splitlines()[-1].startswith(("|", "```")) else " [1]"
    cited = CitedSpan(
        article_id=curated.article_id,
        external_id=curated.external_id,
        title=curated.title,
        url=curated.url,
        revision=curated.revision,
        start=0,
        end=len(curated.text),
        quote=curated.text,
    )
    return Answer(text=text + mark, citations=(cited,), by="builtin", is_confirmed=True)
