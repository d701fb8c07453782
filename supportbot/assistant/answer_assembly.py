"""Assembles an answer from the sentences that the checks keep and the closing texts of tools. Pure."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kb.search import Curated
from supportbot.assistant.checks.evidence import Sentence, Strictness, is_confirmed, mean_support
from supportbot.assistant.texts import LEFT_OUT, NOT_FOUND, UNCONFIRMED
from supportbot.assistant.tool_calls import ToolResult
from supportbot.builtin.phrases import (
    asks_back,
    is_offer_of_a_person,
    is_small_talk,
    names_the_way_to_a_person,
)
from supportbot.chat.answers import Answer, CitedSpan, Withheld
from supportbot.language.plain_text import without_pictures
from supportbot.language.sentences import LEADS, list_mark, unmarked
from supportbot.translation import text_in

MAX_CARDS: Final = 10
_SAYING: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "So"})


def compose(
    sentences: Sequence[Sentence], spans: Sequence[CitedSpan], *, by: str, language: str, strictness: Strictness
) -> Answer:
    """Return the answer made up of these sentences, with a list of the withheld ones; its text is never empty."""
    text = "".join(_shown(sentences, language)).strip()
    kept = [sentence for sentence in sentences if not sentence.withheld]
    withheld = tuple(
        Withheld(one.withheld, one.words, one.support.score)
        for one in sentences
        if one.withheld and one.withheld != "repeated"
    )
    has_ground = any(one.is_recorded or one.cited for one in kept)
    has_claims = any(one.needs_ground for one in kept)
    if not _says_anything(text) or (withheld and not has_ground and not has_claims):
        return _abstention(withheld, by=by, language=language)
    if by == "builtin":
        offers = is_offer_of_a_person(text) or names_the_way_to_a_person(text)
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
    """Return the answer with the closing texts of its tool calls; the model's text is kept only if it has sources.

    Without a closing text, an abstention is replaced by the summaries of the look-ups. A person is offered if a call
    requests it. Buttons and forms are kept only with their own question, and then without cards, because the buttons
    name the records. Otherwise, cards show the newest records that were looked up, but not with a tool's closing text,
    which is about its proposal.
    """
    offers_human = any(result.offers_human for result in results)
    closings = list(dict.fromkeys(result.closing for result in results if result.closing))
    shown = () if closings else cards[-MAX_CARDS:]
    if not closings and answer.is_abstention:
        closings = list(dict.fromkeys(summaries))
    if not closings:
        asked = () if answer.is_abstention else blocks
        return replace(answer, offers_human=answer.offers_human or offers_human, blocks=asked or shown)
    before = answer.text if answer.citations else ""
    new = [closing for closing in closings if closing not in before]
    text = "\n\n".join(part for part in (before, *new) if part)
    return replace(answer, text=text, is_abstention=False, offers_human=offers_human, blocks=shown)


def _says_anything(text: str) -> bool:
    """Return whether a text contains a letter, a figure or a pictograph; punctuation alone says nothing."""
    return any(unicodedata.category(sign) in _SAYING for sign in text)


def _abstention(withheld: tuple[Withheld, ...], *, by: str, language: str) -> Answer:
    text = text_in(language, NOT_FOUND)
    return Answer(text, (), by, is_abstention=True, offers_human=True, withheld=withheld)


def _shown(sentences: Sequence[Sentence], language: str) -> Iterator[str]:
    """Yield the texts to show; a withheld list item or list introduction leaves a placeholder."""
    for one in sentences:
        mark, is_lead = list_mark(one.raw), one.words.rstrip("*_ \n").endswith(LEADS)
        if not one.withheld:
            yield one.shown
        elif one.withheld not in ("repeated", "cut_off") and (mark or is_lead):
            blanks = one.raw[len(one.raw.rstrip()) :] or "\n"
            yield mark + text_in(language, LEFT_OUT) + blanks


def answer_from_curated(curated: Curated) -> Answer:
    """Return the curated answer of an article, word for word, citing the article. No model is involved."""
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
