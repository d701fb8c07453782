"""An answer while it is being written: model text goes in, and what may be shown comes out. Pure.

Words are released as they arrive. As soon as a word may begin a figure, a link or a claim that something was done, the
rest of the sentence waits until it is complete and has been judged (`sentence_verdicts`). A sentence that fails a check
for harm is not shown. How well the sources support a sentence decides only what it cites and whether the whole answer
is confirmed (`answer_assembly`).

Some sentences need vectors before they can be judged. Until then, nothing is released: `unsure` lists the texts whose
vectors are needed, and `weigh` continues with the vectors, or with words alone if there are none.

`python -m bench.checked_stream` measures the time that each word and each sentence takes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kb.search import Passage
from supportbot.assistant.answer_assembly import Citations, compose
from supportbot.assistant.checks.cross_encoders import Vector, Wanted
from supportbot.assistant.checks.evidence import Author, Evidence, Sentence, Strictness, Support
from supportbot.assistant.checks.hard_checks import RUN_OF_RULES, Confidential, bare
from supportbot.assistant.checks.sentence_kinds import Opening
from supportbot.assistant.sentence_verdicts import Judge
from supportbot.chat.answers import Answer
from supportbot.language.links import spells_a_dot
from supportbot.language.normalise import shown_text
from supportbot.language.sentences import is_ended, opens_fence, sentences_of, split_first_sentence

MAX_ANSWER_CHARACTERS: Final = 8_000
MAX_SENTENCES: Final = 200
MEMORY: Final = 200  # characters before a sentence that are checked with it: confidential text may come in pieces
_WORD: Final = re.compile(r"\S*\s")
_RISKY: Final = re.compile(
    r"[\d€$£¥₹%@<\[`/\\]|\w[.:](?=\w)|(?<![^\W\d_])[^\W\d_](?:[·•|./-][^\W\d_])+|\w{24}|[A-Z]{5}|[\[({](?:\.|[^\W\d_]{3,5})[\])}]"
)


@dataclass
class CheckedStream:
    """The answer of one attempt.

    An answer may repeat figures from `customer_messages`, but no links. `now` is the time in words; it may be stated
    together with today's date. `site` is the address of our help pages. `confidential` must not be disclosed.
    `looked_up` is what the shop's system returned in this turn, and `done` our own texts about what was carried out in
    this conversation. If `looks_twice` is true, sentences that deserve a second look are marked. `by` is the author:
    the built-in answerer only quotes or uses fixed texts.
    """

    passages: Sequence[Passage]
    language: str
    customer_messages: Sequence[str] = ()
    site: str = ""
    now: str = ""
    looked_up: Sequence[str] = ()
    done: Sequence[str] = ()
    confidential: Confidential = field(default_factory=Confidential)
    strictness: Strictness = "balanced"
    by: Author = "model"
    looks_twice: bool = False
    sentences: list[Sentence] = field(default_factory=list)
    shown: str = ""
    unsure: tuple[Wanted, ...] = ()  # the texts whose vectors (`assistant.vectors_for_checks`) are needed to continue
    _unfinished: str = ""
    _searched: int = 0  # number of characters at the start of the unfinished text in which no sentence ends
    _shown_of_unfinished: int = 0
    _is_held: bool = False  # the rest of the unfinished sentence waits until it is complete
    _has_dangling_prefix: bool = False  # the beginning of a sentence was shown before the sentence was withheld
    _opening: Opening = field(default_factory=Opening)
    _letters: str = ""  # the last letters shown
    _is_ended: bool = False

    def __post_init__(self) -> None:
        evidence = Evidence(
            self.passages,
            language=self.language,
            customer_messages=self.customer_messages,
            site=self.site,
            now=self.now,
        )
        self._judge = Judge(
            evidence, self.confidential, self.done, is_strict=self.strictness == "strict", looks_twice=self.looks_twice
        )
        self._citations = Citations(evidence, self.site)
        for text in self.looked_up:
            self.learn(text)

    def learn(self, looked_up: str) -> None:
        """Treat this result of a look-up as evidence from now on."""
        self._judge.learn(looked_up)

    def write(self, text: str) -> str:
        """Take the next piece of the model's text; return what may be shown now."""
        if self._is_full:
            return ""
        self._unfinished += shown_text(text)
        return self._advance()

    def end_paragraph(self) -> str:
        """Separate the text before a tool call from the text after it; return what may be shown now."""
        return self.write("\n\n") if self.sentences or self._unfinished else ""

    def break_off(self) -> None:
        """Drop the unfinished sentence at the end of a truncated text, because it may say the opposite of the complete
        one.
        """
        *whole, rest = list(sentences_of(self._unfinished)) or [""]
        if rest.strip() and not is_ended(rest):
            self.sentences.append(Sentence(rest, rest, Support(None, 0), withheld="cut_off"))
            self._unfinished = "".join(whole)
            if not whole:
                self._begin_sentence()

    def finish(self) -> str:
        """Mark the end of the text; return what else may be shown. The answer is complete once `unsure` is empty."""
        if self._is_full:
            self.break_off()
        self._is_ended = True
        return self._advance()

    def weigh(self, vectors: Mapping[Wanted, Vector]) -> str:
        """Continue with the available vectors; return what may be shown now."""
        self._judge.take(self.unsure, vectors)
        self.unsure = ()
        if self._is_whole:
            self.sentences = [self._judge.with_vectors(one) for one in self.sentences]
            self._cite_again()
        return self._advance()

    @property
    def facts(self) -> tuple[str, ...]:
        """What was done in this conversation and what was looked up."""
        return self._judge.facts

    @property
    def doubtful(self) -> dict[int, str]:
        """The sentences that deserve a second look, by position."""
        return {place: one.words for place, one in enumerate(self.sentences) if one.needs_second_look}

    def apply(self, verdicts: Mapping[int, bool]) -> None:
        """Apply the verdicts of a second look: by position, whether the sources support a sentence or contradict it."""
        for place, is_supported in verdicts.items():
            self.sentences[place] = self._judge.seen_again(self.sentences[place], is_supported=is_supported)
        if verdicts:
            self._cite_again()

    def answer(self, *, is_stopped: bool = False) -> Answer:
        """Return the answer so far. If it was stopped, return exactly what was shown, even half a sentence."""
        if is_stopped:
            return Answer(self.shown.strip(), self._citations.in_text(self.shown), self.by, is_stopped=True)
        return compose(
            self.sentences, self._citations.spans, by=self.by, language=self.language, strictness=self.strictness
        )

    @property
    def _is_full(self) -> bool:
        return len(self.shown) + len(self._unfinished) > MAX_ANSWER_CHARACTERS or len(self.sentences) > MAX_SENTENCES

    @property
    def _is_whole(self) -> bool:
        return self._is_ended and not self._unfinished.strip()

    def _advance(self) -> str:
        """Judge the complete sentences, but stop at one that needs vectors; return what may be shown."""
        start = len(self.shown)
        while not self.unsure and (cut := self._first_sentence()) is not None:
            sentence, rest = cut
            self.unsure = self._judge.wanted(sentence) if self.by == "model" else ()
            if not self.unsure:
                self._unfinished = rest
                self._close(sentence)
        if self._is_whole and self.by == "model":
            self.unsure = self._judge.wanted_at_the_end(self.sentences)
        elif not self.unsure:
            self._release()
        return self.shown[start:]

    def _first_sentence(self) -> tuple[str, str] | None:
        cut = split_first_sentence(self._unfinished, self._searched)
        self._searched = len(self._unfinished) if cut is None else 0
        return (self._unfinished, "") if cut is None and self._is_ended and self._unfinished.strip() else cut

    def _close(self, raw: str) -> None:
        """Judge a complete sentence, and show the rest of it if it passes."""
        begun = self._shown_of_unfinished
        before = self.shown[: len(self.shown) - begun][-MEMORY:]
        self._begin_sentence()
        sentence = self._cited(self._judge.judged(raw, before, by=self.by))
        self.sentences.append(sentence)
        if not sentence.withheld:
            self._show(sentence.shown[begun:])
        elif begun:  # its visible beginning stays, so the next sentence must not run into it
            self._has_dangling_prefix = True
            self._show(raw[len(raw.rstrip()) :])

    def _begin_sentence(self) -> None:
        self._shown_of_unfinished, self._is_held, self._opening = 0, False, Opening()

    def _cite_again(self) -> None:
        """Renumber the citations in the order of the sentences; unused sources are dropped."""
        self._citations.spans.clear()
        self.sentences = [self._cited(one) for one in self.sentences]

    def _cited(self, sentence: Sentence) -> Sentence:
        return self._citations.cite(sentence, joins=self.by == "builtin")

    def _release(self) -> None:
        """Show what may be shown of the unfinished sentence. After the visible beginning of a withheld sentence,
        nothing is shown, because such beginnings would pile up.
        """
        if self._is_held or self._has_dangling_prefix or opens_fence(self._unfinished):
            return
        words = list(self._harmless_words())
        if not words:
            return
        # All words that arrived together are checked at once, and one by one only if together they disclose something.
        together = "".join(words)
        is_telling = self.confidential.may_go_on(self._letters, bare(together))
        for piece in words if is_telling else [together]:
            if is_telling and self.confidential.may_go_on(self._letters, bare(piece)):
                self._is_held = True
                return
            self._show(piece)
            self._shown_of_unfinished += len(piece)

    def _harmless_words(self) -> Iterator[str]:
        """Yield the next words, but stop at one that may begin a figure, a link or a deed and has to wait for the
        end.
        """
        at = self._shown_of_unfinished
        while word := _WORD.match(self._unfinished, at):
            if not self._is_harmless(word.group()):
                self._is_held = True
                return
            yield word.group()
            at = word.end()

    def _is_harmless(self, word: str) -> bool:
        if _RISKY.search(word) or spells_a_dot(word):
            return False
        return self._opening.stays_harmless(word, self.language)

    def _show(self, text: str) -> None:
        self.shown += text
        self._letters = f"{self._letters}{bare(text)}"[-RUN_OF_RULES:]
