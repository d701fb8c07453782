#!/usr/bin/env python3
"""Measure the built-in answerer's replies to single messages from visitors, on the demo's knowledge.

    python -m bench.visitors [FILE.jsonl] [--half seen|unseen] [--page LOCALE] [--show]

A row is `{"id", "locale", "text", "expect", "article"}`. Every message goes through a complete turn of a visitor who is
not signed in, in its own conversation, on a page in the visitor's language or in LOCALE. `expect` says when a reply is
right:

    answer      it quotes the article or its translation; `wrong` if it quotes only other articles
    unknown     it quotes nothing, and is not a courtesy either
    smalltalk   it is a courtesy or an apology, and nothing was searched for
    action      it says that signing in helps with this
    person      it passes the visitor on, or says how to reach a person
    complaint   it expresses regret

`offered` is the share of replies that offer help pages because they found nothing. Of the replies that found nothing
although an answer is expected, `found` is the share whose pages include the right one. `language` is the share of
replies with our fixed texts that are in the visitor's language. Only the rows whose id hashes to the seen half were
read during development; `--show` prints the failures of that half.
"""

import argparse
import asyncio
import json
import os
import sys
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from bench.intents import half_of
from bench.quotes import EXAMPLES, WORKSPACE, fill
from bench.scratch import installation

FILE: Final = EXAMPLES / "evaluation" / "visitors4.jsonl"
TRANSLATED: Final = "-de"  # the suffix of a German article's id
LEAST_WORDS: Final = 3  # phrases with fewer words do not show a reply's language


@dataclass(frozen=True, slots=True)
class Reply:
    """A row and the reply to its message."""

    row: dict[str, Any]
    text: str
    cited: tuple[str, ...]
    is_searched: bool
    has_handoff: bool
    took_ms: float
    offered: tuple[str, ...] = ()  # the articles of the pages offered instead of an answer

    @property
    def came(self) -> str:
        """The kind of the reply, as in `expect`; "unknown" if it is none of the others."""
        if self.has_handoff or self._says("no_person", "to_person"):
            return "person"
        if self._says("sign_in", "once_signed_in"):
            return "action"
        if self.cited:
            return "answer"
        if self._says("regret", "complaint", "unclear"):
            return "complaint"
        from supportbot.builtin.phrases import Courtesy

        return "smalltalk" if self._says(*get_args(Courtesy), "left_alone") else "unknown"

    @property
    def is_right(self) -> bool:
        match self.row["expect"]:
            case "answer":
                return self._names(self.cited)
            case "complaint":
                return self._says("regret", "complaint", "unclear")
            case "smalltalk":
                return self.came in ("smalltalk", "complaint") and not self.is_searched
            case expected:
                return bool(self.came == expected)

    @property
    def is_found(self) -> bool:
        """Whether the right page is among those offered instead of an answer."""
        return self._names(self.offered)

    @property
    def is_wrong(self) -> bool:
        """Whether articles are quoted, but not the right one."""
        return bool(self.cited) and not self.is_right

    @property
    def is_refused(self) -> bool:
        """Whether an answer is expected, but nothing was found."""
        return self.row["expect"] == "answer" and self.came == "unknown"

    @property
    def languages(self) -> frozenset[str]:
        """The languages in which the reply contains one of our fixed texts."""
        from supportbot.builtin.phrases import Phrase, say
        from supportbot.translation import LANGUAGES

        texts: dict[Phrase, str] = {name: say(name, "en") for name in get_args(Phrase)}
        plain = [name for name, text in texts.items() if "{" not in text and len(text.split()) >= LEAST_WORDS]
        return frozenset(one for one in LANGUAGES if any(say(name, one) in self.text for name in plain))

    def _names(self, articles: Iterable[str]) -> bool:
        return bare(self.row["article"]) in {bare(article) for article in articles}

    def _says(self, *names: Any) -> bool:
        from supportbot.builtin.phrases import say_in_all_languages

        return any(said in self.text for name in names for said in say_in_all_languages(name))


def bare(article: str) -> str:
    """Return an article's id without its language, since a translation is as good."""
    return article.removesuffix(TRANSLATED)


def main() -> None:
    options = _options()
    rows = [json.loads(line) for line in options.file.read_text().splitlines() if line.strip()]
    rows = [row for row in rows if options.half in (None, half_of(row["id"]))]
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        del os.environ[name]  # the caller's own model would answer instead of the built-in answerer
    with installation():
        fill(EXAMPLES / "knowledge", EXAMPLES / "knowledge" / "vectors.e5")
        _enable_actions()
        replies = list(played(rows, page=options.page))
        for facts in figures(replies):
            sys.stdout.write(json.dumps(facts) + "\n")
        for reply in replies if options.show else ():
            if not reply.is_right and half_of(reply.row["id"]) == "seen":
                row = reply.row
                sys.stdout.write(f"\n[{row['locale']}, {row['expect']} -> {reply.came}] {row['text']}\n")
                sys.stdout.write(f"({row['article'] or ''}; {row.get('note', '')})\n{reply.text}\n")


def _enable_actions() -> None:
    """Enable the shop's actions, so that replies mention them; nothing calls the shop's address."""
    from actions.merchant_connection import connect_merchant
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.scope import workspace_scope

    with workspace_scope(Workspace.objects.get(slug=WORKSPACE).pk):
        connect_merchant("https://shop.example/merchant/v1", f"whsec_{b64encode(bytes(32)).decode()}", actor="bench")


def played(rows: Iterable[dict[str, Any]], *, page: str | None) -> Iterator[Reply]:
    """Send each message in its own conversation, as a visitor who is not signed in."""
    from supportbot.accounts.models import Customer, Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.assistant.ask_and_wait import ask
    from supportbot.chat.retrieval_trace import traces_of
    from supportbot.chat.services import start_conversation

    with workspace_scope(Workspace.objects.get(slug=WORKSPACE).pk):
        visitor = Customer.objects.create()
        for row in rows:
            conversation = start_conversation(visitor.pk, locale=page or row["locale"])
            asked = asyncio.run(ask(conversation, row["text"]))
            yield Reply(
                row,
                asked.payload["text"],
                tuple(citation["external_id"] for citation in asked.payload["citations"]),
                is_searched=bool(traces_of(conversation)),
                has_handoff=asked.has_handoff,
                took_ms=asked.took_ms,
                offered=tuple(page["external_id"] for page in asked.payload.get("pages", ())),
            )


def figures(replies: Iterable[Reply]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each half by kind of row, then by language."""
    groups: dict[tuple[str, ...], list[Reply]] = defaultdict(list)
    for reply in replies:
        row = reply.row
        groups[half_of(row["id"]), row["expect"]].append(reply)
        groups["both", row["expect"]].append(reply)
        groups["language", row["locale"], row["expect"]].append(reply)
        groups["language", row["locale"], "all"].append(reply)
    for name, members in sorted(groups.items()):
        spoken = [reply.row["locale"] in reply.languages for reply in members if reply.languages]
        yield {
            "of": " ".join(name),
            "n": len(members),
            "right": _share(reply.is_right for reply in members),
            "wrong": _share(reply.is_wrong for reply in members),
            "offered": _share(bool(reply.offered) for reply in members),
            "found": _share(reply.is_found for reply in members if reply.is_refused),
            "came": _counted(reply.came for reply in members),
            "language": _share(spoken),
        }


def _counted(names: Iterable[str]) -> dict[str, int]:
    found = list(names)
    return {name: found.count(name) for name in sorted(set(found))}


def _share(values: Iterable[bool]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 3) if found else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=FILE)
    parser.add_argument("--half", choices=("seen", "unseen"))
    parser.add_argument("--page", metavar="LOCALE")
    parser.add_argument("--show", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
