"""An answer while it is written: text goes in as a model makes it, what may be shown comes out. Pure.

Words are let out as they come, but from the first one that could begin a claim, an amount or a link the rest of the
sentence waits until it is whole and has been checked. Of a sentence that fails nothing more comes out; what was shown
of it goes with the final text, which replaces everything. Sources are numbered in the order they are first cited in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kb.search import Passage
from supportbot.assistant.citations import Sources, Support, meaningful_stems
from supportbot.assistant.facts import asks, is_small_talk, says_unknown, states_a_fact
from supportbot.assistant.guardrails.abroad import speaks_of_a_deed
from supportbot.assistant.guardrails.claims import claims_something_done, tells_where_it_is
from supportbot.assistant.guardrails.ledger import is_on_record
from supportbot.assistant.guardrails.links import comparable, links_in
from supportbot.assistant.guardrails.output import safe_prefix
from supportbot.assistant.guardrails.quantities import Quantity, borne, currencies_in, names_it, quantities_in
from supportbot.assistant.guardrails.secrets import Kept, holds_secret
from supportbot.assistant.guardrails.states import states_in
from supportbot.assistant.texts import say
from supportbot.builtin.phrases import asks_back, is_offer_of_a_person, is_ours, names_the_way_to_a_person
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.language.normalise import mixes_scripts, shown_text
from supportbot.language.sentences import (
    MARKER,
    MAX_SENTENCE_CHARACTERS,
    fenced_part,
    is_ended,
    marked_sources,
    sources_of,
    split_off,
    unmarked,
    without_list_mark,
    without_markers,
)

MAX_ANSWER_CHARACTERS: Final = 8_000
MAX_SENTENCES: Final = 200  # each takes its time to check, and "a" on a line of its own is one
MEMORY: Final = 200  # characters before a sentence that are read with it: what is kept back may come in pieces
MIN_LOOKED_UP: Final = 0.5  # of a sentence's meaningful words, to rest on what was looked up


@dataclass(frozen=True, slots=True)
class Sentence:
    """One checked sentence: the text to show (markers renumbered, blanks behind it kept) or why it is withheld."""

    shown: str
    is_fact: bool
    is_sourced: bool
    withheld: str = ""  # unsourced, claim, number, link, length, disguise or secret
    leaves_a_gap: bool = False  # withheld, and more than small talk


@dataclass
class Draft:
    """The answer of one attempt.

    `said` is what the customer wrote: its numbers may be repeated in a question or as an order's name, its links never;
    `site` is where our help pages are; `kept` is what must not be given away; `looked_up` is what the shop's system
    said of the customer's orders in this turn. A sentence that keeps to its words and numbers rests on it and needs no
    article, unless it speaks of something done: that never rests on wording, but on `done`, our own words for what was
    carried out in this conversation.
    """

    passages: Sequence[Passage]
    language: str
    said: Sequence[str] = ()
    site: str = ""
    looked_up: Sequence[str] = ()
    done: Sequence[str] = ()
    kept: Kept = field(default_factory=Kept)
    sentences: list[Sentence] = field(default_factory=list)
    spans: list[CitedSpan] = field(default_factory=list)
    shown: str = ""
    _unfinished: str = ""
    _shown_of_unfinished: int = 0
    _has_stump: bool = False  # the beginning of a sentence was shown that was withheld in the end
    _newest_word: int = 0  # where the last word that may be shown begins: only it can still grow into a risky one

    def __post_init__(self) -> None:
        self._sources = Sources(self.passages)
        self._said_numbers = {quantity.value for text in self.said for quantity in quantities_in(text)}
        self._known_numbers: set[Quantity] = set()
        self._currencies: set[str] = set()
        self._looked_up_words: set[str] = set()
        for text in self.looked_up:
            self.learn(text)
        urls = [passage.url for passage in self.passages if passage.url]
        # Of other languages' sources the words of a claim are not known, so none of their words is shown early.
        told = [passage for passage in self.passages if not passage.locale or passage.locale[:2] in ("en", "de")]
        self._known_words = meaningful_stems(" ".join(f"{passage.title} {passage.text}" for passage in told))
        self._headings = {name for passage in self.passages for name in passage.heading.split(" > ") if name}
        self._known_links = {comparable(address) for url in urls for address in (url, self.site + url)}

    def learn(self, looked_up: str) -> None:
        """Let the answer rest on what was looked up, from here on."""
        self._known_numbers |= quantities_in(looked_up)
        self._currencies |= currencies_in(looked_up)
        self._looked_up_words |= meaningful_stems(looked_up)

    def write(self, text: str) -> str:
        """Take the next piece of model text; return what may be shown because of it."""
        if self._is_full:
            return ""
        self._unfinished += shown_text(text)
        return self._let_out("".join(self._finished()) + self._beginning())

    def end_paragraph(self) -> str:
        """Part what was said before a tool from what is said after it; return what may be shown because of it."""
        return self.write("\n\n") if self.sentences or self._unfinished else ""

    @property
    def _is_full(self) -> bool:
        return len(self.shown) > MAX_ANSWER_CHARACTERS or len(self.sentences) > MAX_SENTENCES

    def break_off(self) -> None:
        """Leave out half a sentence at the end of a text that was cut off: it can say the opposite of the whole."""
        if self._unfinished.strip() and not is_ended(self._unfinished):
            self.sentences.append(Sentence(self._unfinished, True, False, withheld="length", leaves_a_gap=True))
            self._unfinished, self._shown_of_unfinished, self._newest_word = "", 0, 0

    def finish(self) -> str:
        """Take the end of the text; return what may still be shown."""
        if self._is_full:
            self.break_off()
        last, self._unfinished = self._unfinished, ""
        return self._let_out(self._close(last) if last.strip() else "")

    def answer(self, *, by: str, is_stopped: bool = False) -> Answer:
        """Return the answer as it stands: what is sourced or needs no source, or an honest "not found"."""
        if is_stopped:  # exactly what was shown, half a sentence included
            return Answer(self.shown.strip(), tuple(self._spans_in(self.shown)), by, is_stopped=True)
        kept = [sentence for sentence in self.sentences if not sentence.withheld]
        text = "".join(sentence.shown for sentence in kept).strip()
        if any(sentence.is_sourced for sentence in kept):
            return Answer(text, tuple(self.spans), by)
        if text and not any(sentence.leaves_a_gap for sentence in self.sentences):
            is_unknown = says_unknown(text) or (by == "builtin" and not asks_back(text))
            offers_human = says_unknown(text) or names_the_way_to_a_person(text) or is_offer_of_a_person(text)
            return Answer(text, (), by, is_abstention=is_unknown, offers_human=offers_human)
        return Answer(say("not_found", self.language), (), by, is_abstention=True, offers_human=True)

    def _spans_in(self, text: str) -> list[CitedSpan]:
        cited = marked_sources(text)
        return [span for number, span in enumerate(self.spans, start=1) if number in cited]

    def _let_out(self, text: str) -> str:
        self.shown += text
        return text

    def _finished(self) -> Iterator[str]:
        while (cut := split_off(self._unfinished)) is not None:
            sentence, self._unfinished = cut
            yield self._close(sentence)

    def _beginning(self) -> str:
        """Return what may be shown of the unfinished sentence; nothing once one left a stump, or they would pile up."""
        if self._has_stump:
            return ""
        start = self._newest_word
        end = start + len(safe_prefix(self._unfinished[start:], self._known_words))
        if end > self._shown_of_unfinished and self.kept.is_near(f"{self._before()}{self._unfinished[:end]}"[-MEMORY:]):
            end = self._shown_of_unfinished
        self._newest_word = self._unfinished.rfind(" ", start, end) + 1 or start
        fresh = self._unfinished[self._shown_of_unfinished : end]
        self._shown_of_unfinished = max(end, self._shown_of_unfinished)
        return fresh

    def _close(self, raw: str) -> str:
        """Check one whole sentence and return the rest of it that may be shown."""
        already_shown, self._shown_of_unfinished, self._newest_word = self._shown_of_unfinished, 0, 0
        sentence = self._checked(raw)
        self.sentences.append(sentence)
        if sentence.withheld:  # what was shown of it stays until the end; the next one must not grow onto it
            self._has_stump |= already_shown > 0
            return raw[len(raw.rstrip()) :] if already_shown else ""
        return sentence.shown[already_shown:]

    def _checked(self, raw: str) -> Sentence:
        words = without_markers(raw)
        if is_on_record(words, self.done):
            return Sentence(self._renumbered(raw, {}), is_fact=True, is_sourced=True)
        if is_ours(words) or words.rstrip(":").strip() in self._headings:  # names what follows and states nothing
            return Sentence(self._renumbered(raw, {}), is_fact=False, is_sourced=False)
        is_fact = states_a_fact(words)
        supports = self._supports(raw, words) if is_fact or marked_sources(raw) else {}
        is_looked_up = is_fact and self._is_looked_up(words)
        if is_looked_up and not marked_sources(raw):  # a page that happens to use the same words is not its source
            supports = {number: support for number, support in supports.items() if support.is_quotation}
        withheld = self._objection(words, list(supports.values()), needs_source=is_fact and not is_looked_up)
        if withheld:
            gap = withheld != "unsourced" or not is_small_talk(words)
            return Sentence(raw, is_fact, is_sourced=False, withheld=withheld, leaves_a_gap=gap)
        return Sentence(self._renumbered(raw, supports), is_fact, is_sourced=bool(supports) or is_looked_up)

    def _before(self) -> str:
        return "".join(sentence.shown for sentence in self.sentences[-8:] if not sentence.withheld)[-MEMORY:]

    def _is_looked_up(self, words: str) -> bool:
        """Say whether most meaningful words stand in what was looked up, those about an order's state all of them.

        Numbers are checked for themselves: a known amount would lend its weight to any promise around it.
        """
        asked = {word for word in meaningful_stems(words) if not word.isdigit()}
        if not asked or not meaningful_stems(states_in(words)) <= self._looked_up_words:
            return False
        return len(asked & self._looked_up_words) >= MIN_LOOKED_UP * len(asked)

    def _supports(self, raw: str, words: str) -> dict[int, Support]:
        """Return the valid sources by the number the model used; 0 is one it did not name."""
        named = {
            number: support
            for number in marked_sources(raw)
            if (support := self._sources.named(number, words, language=self.language)) is not None
        }
        if named:
            return named
        if (item := without_list_mark(words)) != words:
            return self._supports(raw, item)
        unasked = self._sources.unasked(words)
        return {0: unasked} if unasked is not None else {}

    def _objection(self, words: str, supports: list[Support], *, needs_source: bool) -> str:
        if len(words) > MAX_SENTENCE_CHARACTERS:
            return "length"
        if self.kept.is_in(self._before() + words):
            return "secret"
        if any(support.is_quotation for support in supports):
            return ""
        if mixes_scripts(words):
            return "disguise"
        if holds_secret(words):
            return "secret"
        if any(support.is_foreign for support in supports) and speaks_of_a_deed(words):
            return "claim"
        if claims_something_done(words) and (needs_source or not tells_where_it_is(words)):
            return "claim"
        texts = [support.passage.text for support in supports]
        if not self._bears_numbers(words, texts):
            return "number"
        if not links_in(words) <= self._known_links.union(*(links_in(text) for text in texts)):
            return "link"
        return "unsourced" if needs_source and not supports else ""

    def _bears_numbers(self, words: str, texts: list[str]) -> bool:
        """Say whether every number stands in a source or look-up, or is the customer's own and names something.

        What a customer says does not become true: their amounts come back only in a question.
        """
        known = self._known_numbers.union(*(quantities_in(text) for text in texts))
        if not asks(words) and not currencies_in(words) <= self._currencies.union(*map(currencies_in, texts)):
            return False
        wanted = {number for number in quantities_in(without_list_mark(words)) if not borne(number, known)}
        if not wanted:
            return True
        is_question = asks(words)
        return all(n.value in self._said_numbers and (is_question or names_it(words, n)) for n in wanted)

    def _renumbered(self, raw: str, supports: dict[int, Support]) -> str:
        """Return the sentence with its valid markers only, each with the number of its citation."""
        code, said = fenced_part(raw)  # brackets in a block of code are its own
        if 0 in supports:
            bare = f"{code}{unmarked(said)}".rstrip()
            blanks = raw[len(raw.rstrip()) :]
            # A fence is closed by a line that holds nothing else.
            return f"{bare}{chr(10) if code else ' '}[{self._number(supports[0])}]{blanks}"
        numbers = {number: self._number(support) for number, support in supports.items()}
        shown = said
        for marker in reversed(list(MARKER.finditer(said))):
            valid = dict.fromkeys(numbers[n] for n in sources_of(marker) if n in numbers)
            before = said[: marker.start()]
            start = marker.start() if valid else len(before.rstrip())
            shown = shown[:start] + "".join(f"[{number}]" for number in valid) + shown[marker.end() :]
        return f"{code}{shown}"

    def _number(self, support: Support) -> int:
        span = support.as_span(self.site)
        for number, known in enumerate(self.spans, start=1):
            if (known.article_id, known.start, known.end) == (span.article_id, span.start, span.end):
                return number
        self.spans.append(span)
        return len(self.spans)
