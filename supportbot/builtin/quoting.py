"""Decides how much to quote, and formats it: whole paragraphs, steps and tables, each line with its source. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from supportbot.builtin.phrases import language_name, say
from supportbot.builtin.quotable_pieces import Piece, labelled_in
from supportbot.builtin.ranking import (
    MAX_QUOTED,
    MAX_QUOTED_ACROSS,
    Ranked,
    asked_in,
    is_in,
    language_of,
    named_lines,
)
from supportbot.language.blocks import Kind
from supportbot.language.lines import Line
from supportbot.language.operators import operators
from supportbot.language.words import words

# For one question in six, only the second piece is the answer (bench/quotes.py), but rarely if it scores far lower.
FURTHER_SHARE: Final = 0.45
# If a page's `special` value exceeds another page's by this much, it is about a special case of the other page's
# subject. The general rule then comes first if its piece has at least this share of the score.
# docs/decisions/built-in-answerer.md has the figures.
SPECIAL_FROM: Final = 0.5
# The same for pages in another language: hardly any word of a title is then also in the question, so the values differ
# less.
SPECIAL_FROM_ACROSS: Final = 0.3
GENERAL_SHARE: Final = 0.75
# A rule comes before its exclusions if its piece has at least this share of their score.
RULE_SHARE: Final = 0.6
# The same for pages in another language: hardly any word shows then whether the question is about the exclusions.
RULE_SHARE_ACROSS: Final = 0.75
# Categories of operators. A negation excludes nothing if it is about a cost or a minimum: "free of charge" (in German
# "kostenlos"), "it costs you nothing", "there is no minimum".
_NEGATING: Final = frozenset({"not", "none", "without", "except"})
_GRANTING: Final = (frozenset({"free"}), frozenset({"least"}), frozenset({"none", "paid"}))
MAX_CHARACTERS: Final = 700  # per piece; longer pieces are cut around their best line
MAX_LINES: Final = 8


def to_quote(ranked: Sequence[Ranked], question: str, language: str) -> list[Ranked]:
    """Return the best piece and the next one that adds something, in reading order if both are from the same
    passage.
    """
    chosen: list[Ranked] = []
    is_foreign = bool(ranked) and not is_in(language, ranked[0].piece)
    most = MAX_QUOTED_ACROSS if is_foreign else MAX_QUOTED
    for entry in ranked:
        if chosen and entry.score < FURTHER_SHARE * chosen[0].score:
            break
        if _adds_something(entry, chosen):
            chosen.append(entry)
        if len(chosen) == most:
            break
    if len({entry.piece.source.number for entry in chosen}) == 1:
        return sorted(chosen, key=lambda entry: entry.piece.position)
    return _rule_first(_general_first(chosen, SPECIAL_FROM_ACROSS if is_foreign else SPECIAL_FROM), question, language)


def _general_first(chosen: list[Ranked], special_from: float) -> list[Ranked]:
    """Return the pieces with the general rule before a special case that ranks only a little higher."""
    if len(chosen) < 2:
        return chosen
    first, second, *rest = chosen
    is_special = first.special - second.special >= special_from and second.score >= GENERAL_SHARE * first.score
    return [second, first, *rest] if is_special else chosen


def _rule_first(chosen: list[Ranked], question: str, language: str) -> list[Ranked]:
    """Return the pieces with a rule before a piece that only lists exclusions ("We do not ship to …"), unless the
    question is about the exclusions.
    """
    if len(chosen) < 2:
        return chosen
    exclusions, rule, *rest = chosen
    share = RULE_SHARE if is_in(language, exclusions.piece) else RULE_SHARE_ACROSS
    has_both = _only_excludes(exclusions.piece) and not _only_excludes(rule.piece)
    is_near = rule.score >= share * exclusions.score
    if has_both and is_near and not _asks_for_exclusions(question, language, exclusions, rule):
        return [rule, exclusions, *rest]
    return chosen


def _asks_for_exclusions(question: str, language: str, exclusions: Ranked, rule: Ranked) -> bool:
    """Return whether the question is negated, or has a word that the exclusions contain and the rule does not: Norway
    in "Do you ship to Norway?".
    """
    if _negates(question, language):
        return True
    return not asked_in(exclusions.piece, question, language) <= asked_in(rule.piece, question, language)


def _only_excludes(piece: Piece) -> bool:
    """Return whether each line of a piece excludes something."""
    return all(_excludes(line.text, language_of(piece)) for line in piece.lines)


def _excludes(text: str, language: str) -> bool:
    named = operators(text, language).keys()
    return not _NEGATING.isdisjoint(named) and not any(named >= granting for granting in _GRANTING)


def _negates(text: str, language: str) -> bool:
    return not _NEGATING.isdisjoint(operators(text, language))


def lead_to(chosen: Sequence[Ranked], language: str) -> str:
    """Return the line that states the language of the quoted page; "" if this is the customer's language."""
    if not chosen or is_in(language, chosen[0].piece):
        return ""
    return say("foreign_page", language, language=language_name(language_of(chosen[0].piece), language))


def quoted(entry: Ranked, question: str, language: str) -> str:
    """Return a piece as Markdown, each line with the number of its source."""
    piece = entry.piece
    lines = _lines_of(entry, question, language)
    parts = list(_laid_out(piece, lines))
    if len(lines) < len(piece.lines) and piece.kind is not Kind.TABLE:
        parts.append(say("goes_on", language))
    return (" " if piece.kind is Kind.PARAGRAPH else "\n").join(parts)


def _adds_something(entry: Ranked, chosen: Sequence[Ranked]) -> bool:
    piece = entry.piece
    leads_on = piece.kind is Kind.PARAGRAPH and len(piece.lines) == 1 and entry.line.text.endswith(":")
    if leads_on or not chosen:
        return not leads_on
    is_alike = language_of(piece) == language_of(chosen[0].piece) and piece.kind is not Kind.CODE
    return is_alike and not any(words(piece.text) == words(other.piece.text) for other in chosen)


def _lines_of(entry: Ranked, question: str, language: str) -> Sequence[Line]:
    """Return the lines to quote: the matching rows of a table, the lines around the best one in a long piece, or else
    all lines.
    """
    piece = entry.piece
    if piece.kind is Kind.TABLE and (rows := named_lines(question, piece, language)):
        return rows[:MAX_LINES]
    lines = [line for line in piece.lines if not line.is_pointer] or piece.lines
    at = first = last = lines.index(entry.line) if entry.line in lines else 0
    while last - first + 1 < MAX_LINES:
        if last + 1 < len(lines) and _fits(lines[first : last + 2]):
            last += 1
        elif first > 0 and _fits(lines[first - 1 : last + 1]):
            first -= 1
        else:
            break
    return lines[min(first, at) : last + 1]


def _fits(lines: Sequence[Line]) -> bool:
    return sum(len(line.text) for line in lines) <= MAX_CHARACTERS


def _laid_out(piece: Piece, lines: Sequence[Line]) -> Iterator[str]:
    number = piece.source.number
    if piece.kind is Kind.PARAGRAPH:
        yield from (f"{line.text} [{number}]" for line in lines)
        return
    if piece.lead or piece.heading:
        yield f"{piece.lead} [{number}]" if piece.lead else _heading_of(piece)
    if piece.columns:
        yield f"{piece.columns} [{number}]"
    for line in lines:
        mark = f"{line.mark} " if line.mark else ""
        # A closing fence must be alone on its line.
        yield f"{mark}{line.text}{chr(10) if piece.kind is Kind.CODE else ' '}[{number}]"


def _heading_of(piece: Piece) -> str:
    """Return the heading of a list or table, without a source if the passage does not include it."""
    mark = f" [{piece.source.number}]" if piece.heading in piece.source.text else ""
    if piece.heading.endswith((":", "?")):
        return f"{piece.heading}{mark}"
    return f"{labelled_in(piece.source.locale).format(label=piece.heading, value='').rstrip()}{mark}"
