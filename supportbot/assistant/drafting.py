"""An answer while it is written: text goes in as a model makes it, what may be shown comes out. Pure.

Words are let out as they come; from the first that may begin a figure, a link or a deed the rest of the sentence waits
until it is whole and has been checked (`checks/`). What fails a check of harm is not shown. Wording never withholds a
sentence: how far the sources bear it decides its citations, and whether the answer as a whole is confirmed.

Some sentences need a vector before they can be judged. Then nothing more is let out, `unsure` names the texts whose
vectors are wanted, and `weigh` goes on with them; without them it goes on by words alone.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Final, Literal

from kb.search import Passage
from supportbot.assistant.checks import hard
from supportbot.assistant.checks.deeds import DOUBT_FROM, Records, Vector, is_deed, joint
from supportbot.assistant.checks.doubt import LOOK_FROM, Doubts
from supportbot.assistant.checks.evidence import CITED_FROM, FAR_BELOW, Evidence, Support
from supportbot.assistant.checks.kinds import Kind, Opening, by_pieces, by_vector
from supportbot.assistant.checks.secrets import Kept
from supportbot.assistant.checks.verdict import Strictness, confirmed, mean_support
from supportbot.assistant.texts import say
from supportbot.builtin.phrases import asks_back, is_offer_of_a_person, is_ours, names_the_way_to_a_person
from supportbot.chat.answers import Answer, CitedSpan, Withheld
from supportbot.language.links import spells_a_dot
from supportbot.language.normalise import as_read, shown_text
from supportbot.language.sentences import (
    MARKER,
    fenced_part,
    is_ended,
    list_mark,
    marked_sources,
    opens_fence,
    sources_of,
    split_off,
    unmarked,
    without_markers,
)
from supportbot.language.words import telling_stems

Author = Literal["model", "builtin"]
MAX_ANSWER_CHARACTERS: Final = 8_000
MAX_SENTENCES: Final = 200
MAX_VECTORS: Final = 10  # of one answer; each takes 20 ms
DOUBT_RISES: Final = 0.05
MEMORY: Final = 200  # characters before a sentence that are read with it: what is kept back may come in pieces
MOST_THIN: Final = 4  # claims of an answer that vectors are asked about where words do not confirm it
MOST_STEPS: Final = 6
REPEATED: Final = 2  # times that a sentence may be said; a model in a loop says it without end
SHORT: Final = 20  # characters: "Yes." may be said often
LEAST_RECORD: Final = 3  # words: a lone value says nothing of what was done with it
REGRET_FROM: Final = 0.15  # by pieces: from here on a vector tells whether a sentence is a regret
MOST_REGRETS: Final = 3  # vectors spent on whether an answer only regrets
LITTLE_SUPPORT: Final = 0.2  # below it a sentence is looked at again
_JUDGED_BORNE: Final = 0.9  # the support of a sentence that a second look found borne
QUESTIONS: Final = ("?", "？", "؟")
LEADS: Final = (":", "：")
COVERED_FROM: Final = 0.5  # of a sentence's neighbouring words in a page
PLAINLY: Final = 0.9  # a clause by itself says less than a sentence, so it must be a deed beyond doubt
_CLAUSE: Final = re.compile(r"[,;:()–—]\s+")
_ENDS_A_WORD: Final = re.compile(r"\s")
_RISKY: Final = re.compile(
    r"[\d€$£¥₹%@<\[`/\\]|\w[.:](?=\w)|(?<![^\W\d_])[^\W\d_](?:[·•|./-][^\W\d_])+|\w{24}|[\[({](?:\.|[^\W\d_]{3,5})[\])}]"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One checked sentence: the text to show, markers renumbered and blanks behind it kept, or why it is withheld."""

    shown: str
    support: Support
    raw: str = ""  # as the model wrote it
    is_claim: bool = True
    is_recorded: bool = False  # the ledger or a look-up says so
    is_regret: bool = False  # says that something is not known, cannot be done or was not
    withheld: str = ""
    cited: tuple[int, ...] = ()
    needs_second_look: bool = False


@dataclass
class Draft:
    """The answer of one attempt.

    `said` is what the customer wrote: its figures may be repeated, its links never; `site` is where our help pages are;
    `kept` is what must not be given away; `looked_up` is what the shop's system said of the customer's records in this
    turn, `done` our own words for what was carried out in this conversation. `nearness` tells how near a vector is to
    the passages, for answers in another language. `looks_twice` marks the sentences that deserve a second look.
    The built-in answerer (`by`) quotes, and what it says in our own words is a fixed text: neither is a deed.
    """

    passages: Sequence[Passage]
    language: str
    said: Sequence[str] = ()
    site: str = ""
    looked_up: Sequence[str] = ()
    done: Sequence[str] = ()
    kept: Kept = field(default_factory=Kept)
    strictness: Strictness = "balanced"
    nearness: Callable[[Vector], float] | None = None
    by: Author = "model"
    looks_twice: bool = False
    sentences: list[Sentence] = field(default_factory=list)
    spans: list[CitedSpan] = field(default_factory=list)
    shown: str = ""
    _unfinished: str = ""
    _shown_of_unfinished: int = 0
    _has_stump: bool = False  # the beginning of a sentence was shown that was withheld in the end
    _opening: Opening = field(default_factory=Opening)
    _is_ended: bool = False
    _waiting: str = ""  # a whole sentence that waits for its vector
    _vectors: dict[str, Vector] = field(default_factory=dict)
    _asked_for: set[str] = field(default_factory=set)
    _said_before: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.evidence = Evidence(
            self.passages, language=self.language, said=self.said, site=self.site, nearness=self.nearness
        )
        self._seen: list[str] = []  # what look-ups say, a line each
        self._done = [text for text in self.done if text.strip()]
        for text in self.done:
            self.evidence.learn(text)
        for text in self.looked_up:
            self.learn(text)

    def learn(self, looked_up: str) -> None:
        """Let the answer rest on what was looked up, from here on."""
        self.evidence.learn(looked_up)
        self._seen += [line for line in looked_up.splitlines() if len(line.split()) >= LEAST_RECORD]

    @property
    def unsure(self) -> tuple[str, ...]:
        """The texts whose vectors (`query` of the packaged embedder) are wanted to let more out, or at the end."""
        if self._waiting:
            return tuple(self._wanted(without_markers(self._waiting)))
        return tuple(islice(map(as_read, self._thin()), MAX_VECTORS - len(self._asked_for))) if self._is_ended else ()

    @property
    def needs_nearness(self) -> bool:
        """Whether the vectors that are wanted will be compared with the windows of the sources."""
        return self._is_ended or (bool(self._waiting) and self.evidence.is_foreign(without_markers(self._waiting)))

    def weigh(self, vectors: Mapping[str, Vector]) -> str:
        """Take the vectors that were to be had and go on; return what may be shown because of it."""
        self._asked_for.update(self.unsure)
        self._vectors.update(vectors)
        if not self._waiting:
            self._look_closer()
            return ""
        waiting, self._waiting = self._waiting, ""
        return self._let_out(self._close(waiting) + "".join(self._finished()) + self._beginning())

    def write(self, text: str) -> str:
        """Take the next piece of model text; return what may be shown because of it."""
        if self._is_full:
            return ""
        self._unfinished += shown_text(text)
        return self._let_out("".join(self._finished()) + self._beginning())

    def end_paragraph(self) -> str:
        """Part what was said before a tool from what is said after it; return what may be shown because of it."""
        return self.write("\n\n") if self.sentences or self._unfinished or self._waiting else ""

    @property
    def _is_full(self) -> bool:
        written = len(self.shown) + len(self._unfinished) + len(self._waiting)
        return written > MAX_ANSWER_CHARACTERS or len(self.sentences) > MAX_SENTENCES

    def break_off(self) -> None:
        """Leave out half a sentence at the end of a text that was cut off: it can say the opposite of the whole."""
        rest = self._unfinished
        if rest.strip() and not is_ended(rest):
            self.sentences.append(Sentence(rest, Support(None, 0), withheld="cut_off"))
            self._unfinished, self._shown_of_unfinished = "", 0

    def finish(self) -> str:
        """Take the end of the text; return what may still be shown. While `unsure` names texts, `weigh` comes first."""
        if self._is_full:
            self.break_off()
        if self._waiting:
            return ""
        last, self._unfinished = self._unfinished, ""
        self._is_ended = True
        if not last.strip():
            return ""
        if self._must_wait(last):
            self._waiting = last
            return ""
        return self._let_out(self._close(last))

    def _thin(self) -> list[str]:
        """Return the claims of a short answer that their words alone do not confirm: a vector may know better."""
        claims = [one for one in self.sentences if one.is_claim and not one.withheld and not one.is_recorded]
        if self.nearness is None or self.by == "builtin" or len(claims) > MOST_THIN:
            return []
        if confirmed([one.support for one in claims], has_records=False) is not False:
            return []
        said = (without_markers(one.shown) for one in claims)
        return [
            words for words in said if as_read(words) not in self._vectors and as_read(words) not in self._asked_for
        ]

    def _look_closer(self) -> None:
        for place, one in enumerate(self.sentences):
            vector = self._vectors.get(as_read(words := without_markers(one.shown)))
            if vector is None or not one.is_claim or one.withheld or one.is_recorded:
                continue
            support = self.evidence.support(words, vector, is_thin=True)
            spans = self.evidence.cited(words, marked_sources(one.raw), support)
            shown = self._renumbered(one.raw, spans)
            self.sentences[place] = replace(one, support=support, shown=shown, cited=tuple(spans))

    @property
    def doubtful(self) -> dict[int, str]:
        """The sentences that deserve a second look, by their place."""
        return {place: without_markers(one.shown) for place, one in enumerate(self.sentences) if one.needs_second_look}

    def judge(self, place: int, *, is_borne: bool) -> None:
        """Take what a second look at a sentence found: borne by the sources, or said otherwise by them."""
        seen = self.sentences[place]
        score = max(seen.support.score or 0.0, _JUDGED_BORNE) if is_borne else 0.0
        support = replace(seen.support, score=score)
        self.sentences[place] = replace(seen, support=support, withheld="" if is_borne else "contradicted")
        if not is_borne and seen.cited:
            self._cite_again()

    def _cite_again(self) -> None:
        """Number the citations of what is left: a source that only a withheld sentence rested on is none."""
        self.spans = []
        for place, one in enumerate(self.sentences):
            if one.cited and not one.withheld:
                spans = self.evidence.cited(without_markers(one.raw), marked_sources(one.raw), one.support)
                self.sentences[place] = replace(one, shown=self._renumbered(one.raw, spans), cited=tuple(spans))

    def answer(self, *, is_stopped: bool = False) -> Answer:
        """Return the answer as it stands, with what was withheld; never an empty one."""
        by = self.by
        if is_stopped:  # exactly what was shown, half a sentence included
            return Answer(self.shown.strip(), tuple(self._spans_in(self.shown)), by, is_stopped=True)
        text = "".join(self._kept()).strip()
        kept = [sentence for sentence in self.sentences if not sentence.withheld]
        withheld = tuple(self._withheld())
        has_records = any(one.is_recorded for one in kept)
        has_ground = has_records or any(one.cited for one in kept)
        claims = [one.support for one in kept if one.is_claim and not one.is_recorded]
        if not text or (withheld and not has_ground and not claims):
            return self._abstention(withheld)
        if by == "builtin":
            offers = is_offer_of_a_person(text) or names_the_way_to_a_person(text)
            is_unknown = not has_ground and not asks_back(text)
            return Answer(text, tuple(self.spans), by, is_abstention=is_unknown, offers_human=offers, withheld=withheld)
        is_confirmed = confirmed(claims, has_records=has_records)
        if is_confirmed is None and any(one.is_regret for one in kept):
            return Answer(text, (), by, is_abstention=True, offers_human=True, withheld=withheld)
        if is_confirmed is not False or self.strictness == "open":
            return Answer(text, tuple(self.spans), by, is_confirmed=is_confirmed, withheld=withheld)
        if self.strictness == "strict":
            return self._abstention((*withheld, Withheld("unconfirmed", text, mean_support(claims))))
        text = f"{unmarked(text)}\n\n{say('unconfirmed', self.language)}"
        return Answer(text, (), by, is_confirmed=False, offers_human=True, withheld=withheld)

    def _abstention(self, withheld: tuple[Withheld, ...]) -> Answer:
        text = say("not_found", self.language)
        return Answer(text, (), self.by, is_abstention=True, offers_human=True, withheld=withheld)

    def _kept(self) -> Iterator[str]:
        """Yield the texts to show; a step, or a list's lead, that is withheld leaves a mark where it stood."""
        for sentence in self.sentences:
            if not sentence.withheld:
                yield sentence.shown
            elif sentence.withheld not in ("repeated", "cut_off") and self._is_listed(sentence):
                blanks = sentence.shown[len(sentence.shown.rstrip()) :] or "\n"
                yield f"{list_mark(sentence.shown)}{say('left_out', self.language)}{blanks}"

    def _is_listed(self, sentence: Sentence) -> bool:
        words = without_markers(sentence.shown).rstrip("*_ \n")
        return bool(list_mark(sentence.shown)) or words.endswith(LEADS)

    def _withheld(self) -> Iterator[Withheld]:
        for sentence in self.sentences:
            if sentence.withheld and sentence.withheld != "repeated":
                yield Withheld(sentence.withheld, without_markers(sentence.shown), sentence.support.score)

    def _spans_in(self, text: str) -> list[CitedSpan]:
        cited = marked_sources(text)
        return [span for number, span in enumerate(self.spans, start=1) if number in cited]

    def _let_out(self, text: str) -> str:
        self.shown += text
        return text

    def _finished(self) -> Iterator[str]:
        while not self._waiting and (cut := split_off(self._unfinished)) is not None:
            sentence, self._unfinished = cut
            if self._must_wait(sentence):
                self._waiting = sentence
            else:
                yield self._close(sentence)

    def _must_wait(self, sentence: str) -> bool:
        return next(self._wanted(without_markers(sentence)), None) is not None

    def _wanted(self, words: str) -> Iterator[str]:
        """Yield the texts whose vectors would tell more: the sentence in doubt, and what may be on record for it."""
        asked = len(self._asked_for)
        if asked >= MAX_VECTORS or self.by == "builtin" or self.evidence.is_quoted(words):
            return
        words = as_read(words)
        kind = by_pieces(words)
        # The more vectors an answer has had, the surer the pieces must be: the last one is for a plain claim.
        in_doubt = kind.deed >= DOUBT_FROM + DOUBT_RISES * asked
        is_regret = asked < MOST_REGRETS and kind.regret >= REGRET_FROM and not words.rstrip().endswith(QUESTIONS)
        if in_doubt or is_regret or (self.nearness is not None and self.evidence.is_foreign(words)):
            recorded = self._nearest_records(words)[: MAX_VECTORS // 2] if in_doubt else []
            clauses = map(as_read, self._clauses(words)) if in_doubt else ()
            wanted = (
                text
                for text in (words, *clauses, *recorded)
                if text not in self._vectors and text not in self._asked_for
            )
            yield from islice(wanted, MAX_VECTORS - asked)

    def _nearest_records(self, words: str) -> list[str]:
        """Return what was done or looked up, first what shares most with a sentence: each costs a vector."""
        said = telling_stems(words, self.language)
        return sorted([*self._done, *self._seen], key=lambda text: -len(said & telling_stems(text, self.language)))

    def _beginning(self) -> str:
        """Return what may be shown of the unfinished sentence; nothing once one left a stump, or they would pile up."""
        if self._has_stump or self._waiting or opens_fence(self._unfinished):
            return ""
        start = end = self._shown_of_unfinished
        for blank in _ENDS_A_WORD.finditer(self._unfinished, start):
            word = self._unfinished[end : blank.end()]
            if _RISKY.search(word) or spells_a_dot(word) or not self._opening.stays_harmless(word, self.language):
                break
            end = blank.end()
        if end > start and self.kept.is_near(f"{self._before()}{self._unfinished[:end]}"[-MEMORY:]):
            return ""
        self._shown_of_unfinished = end
        return self._unfinished[start:end]

    def _close(self, raw: str) -> str:
        """Check one whole sentence and return the rest of it that may be shown."""
        already_shown, self._shown_of_unfinished, self._opening = self._shown_of_unfinished, 0, Opening()
        sentence = self._checked(raw)
        self.sentences.append(sentence)
        if sentence.withheld:  # what was shown of it stays until the end; the next one must not grow onto it
            self._has_stump |= already_shown > 0
            return raw[len(raw.rstrip()) :] if already_shown else ""
        return sentence.shown[already_shown:]

    def _checked(self, raw: str) -> Sentence:
        words = without_markers(raw)
        if self.by == "builtin" and is_ours(words):
            return Sentence(self._renumbered(raw, {}), Support(None, 0), is_claim=False)
        vector = self._vectors.get(as_read(words))
        support = self.evidence.support(words, vector)
        if withheld := self._objection(words, support, vector):
            if withheld == "deed" and self._records.hold(words, vector):
                return Sentence(self._renumbered(raw, {}), support, is_recorded=True)
            return Sentence(raw, support, withheld=withheld)
        kind = by_vector(words, vector) if vector is not None else by_pieces(words)
        is_claim = self._is_claim(words, kind, support)
        named = marked_sources(raw)
        spans = self.evidence.cited(words, named, support) if is_claim or named else {}
        return Sentence(
            self._renumbered(raw, spans),
            support,
            raw,
            is_claim=is_claim,
            is_regret=vector is not None and kind.regret >= max(kind.talk, kind.claim, kind.deed),
            cited=tuple(spans),
            needs_second_look=is_claim and self._needs_second_look(words, support),
        )

    def _is_claim(self, words: str, kind: Kind, support: Support) -> bool:
        """Return whether a sentence needs ground: not a question, a lead or heading, or talk that no page has."""
        if words.rstrip("*_ ").endswith((*QUESTIONS, *LEADS)) or words.startswith("#"):
            return False
        return kind.needs_ground or (support.score or 0.0) >= CITED_FROM

    def _needs_second_look(self, words: str, support: Support) -> bool:
        if not self.looks_twice or support.is_quoted:
            return False
        return (support.score is not None and support.score < LITTLE_SUPPORT) or self._doubts.of(words) >= LOOK_FROM

    @cached_property
    def _doubts(self) -> Doubts:
        return Doubts([f"{one.title}\n{one.text}" for one in self.passages], language=self.language)

    @property
    def _records(self) -> Records:
        return Records(tuple(self._done), tuple(self._seen), self._vectors)

    def _objection(self, words: str, support: Support, vector: Vector | None) -> str:
        if self.by == "model" and len(words) > SHORT and any(map(str.isalnum, words)):
            self._said_before[words] += 1
            most = MOST_STEPS if list_mark(words) else REPEATED  # steps of several lists may be alike
            if self._said_before[words] > most:
                return "repeated"
        if found := hard.objection(words, self._before(), self.evidence, self.kept):
            return found
        if self.by == "builtin" or support.is_quoted:
            return ""
        alike = self.evidence.in_their_words(words)
        is_spent = len(self._asked_for) >= MAX_VECTORS
        if any(self._hides_a_deed(part) for part in self._clauses(words)):
            return "deed"
        if is_deed(words, vector, in_their_words=alike, support=support.score, is_spent=is_spent):
            return "deed"
        is_far = self.strictness == "strict" and support.score is not None and support.score < FAR_BELOW
        return "unsupported" if is_far and self._is_claim(words, by_pieces(words), support) else ""

    def _clauses(self, words: str) -> list[str]:
        """Return the clauses of a sentence that runs as a page does, or asks: either would cover a deed beside it."""
        is_covered = words.rstrip().endswith(QUESTIONS) or self.evidence.in_their_words(words) >= COVERED_FROM
        parts = [part.strip() for part in _CLAUSE.split(words)] if is_covered else []
        return [part for part in parts if len(parts) > 1 and len(part.split()) >= LEAST_RECORD]

    def _hides_a_deed(self, clause: str) -> bool:
        """Return whether a clause by itself is plainly a deed that its own words do not excuse and nothing records."""
        if self.evidence.in_their_words(clause) >= COVERED_FROM:
            return False
        vector = self._vectors.get(as_read(clause))
        kind = by_pieces(clause)
        surely = joint(kind, by_vector(clause, vector)) if vector is not None else kind.deed
        return surely >= PLAINLY and not self._records.hold(clause, vector)

    def _before(self) -> str:
        return "".join(sentence.shown for sentence in self.sentences[-MEMORY:] if not sentence.withheld)[-MEMORY:]

    def _renumbered(self, raw: str, spans: Mapping[int, CitedSpan]) -> str:
        """Return the sentence with its valid markers only, each with the number of its citation."""
        code, said = fenced_part(raw)  # brackets in a block of code are its own
        named = marked_sources(raw)
        unnamed = [number for number in spans if number not in named]
        if unnamed:
            bare = f"{code}{unmarked(said)}".rstrip()
            blanks = raw[len(raw.rstrip()) :]
            # A fence is closed by a line that holds nothing else.
            return f"{bare}{chr(10) if code else ' '}[{self._number(spans[unnamed[0]])}]{blanks}"
        numbers = {number: self._number(span) for number, span in spans.items()}
        shown = said
        for marker in reversed(list(MARKER.finditer(said))):
            valid = dict.fromkeys(numbers[n] for n in sources_of(marker) if n in numbers)
            before = said[: marker.start()]
            start = marker.start() if valid else len(before.rstrip())
            shown = shown[:start] + "".join(f"[{number}]" for number in valid) + shown[marker.end() :]
        return f"{code}{shown}"

    def _number(self, span: CitedSpan) -> int:
        for number, known in enumerate(self.spans, start=1):
            if (known.article_id, known.start, known.end) == (span.article_id, span.start, span.end):
                return number
        if self.by == "builtin" and self.spans and (longer := self.evidence.joined(self.spans[-1], span)) is not None:
            self.spans[-1] = longer  # a paragraph is quoted as one
            return len(self.spans)
        self.spans.append(span)
        return len(self.spans)
