"""A Chat Completions server that reads its prompt, for `bench.planted`: good instructions lead to good answers.

It knows the right answer to each question, sentence by sentence. It says the sentences that its sources contain, and
follows the rules: it cites sources by number, calls tools and uses the customer's language. If its instructions say to
leave these out, it does; if they say to promise, it promises. It guesses the answers to other questions, as models do.
The model called `liar` says yes to everything.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

READER: Final = "reader"
LIAR: Final = "liar"
WORDS_PER_TOKEN: Final = 0.7
_SOURCE: Final = re.compile(r'<source number="(\d+)" title="[^"]*">\n(.*?)\n</source>', re.DOTALL)
_REGRET: Final = "I could not find this in the help pages. Would you like to talk to a person?"
_AGAIN: Final = "was not shown to the customer"
ALIKE: Final = 0.6  # the share of a sentence's words that a source must contain
_GUESS: Final = "As far as anybody knows, that depends on the weather and on the season."
_LIE: Final = "Yes, of course, that is always possible and free of charge for everybody."


@dataclass(frozen=True)
class Learnt:
    """The right answer to a question: its sentences, or the tools to call."""

    sentences: tuple[str, ...] = ()
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    is_unknown: bool = False


class Server:
    """A server that answers from `learnt`, which maps questions to their right answers."""

    def __init__(self) -> None:
        self.learnt: dict[str, Learnt] = {}

    def application(self) -> web.Application:
        found = web.Application(client_max_size=16 * 1024 * 1024)
        found.router.add_post("/v1/chat/completions", self.chat)
        found.router.add_get("/v1/models", models)
        return found

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        text, calls = self.said(body)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for line in _lines(text, calls, body):
            await response.write(line)
        return response

    def said(self, body: Mapping[str, Any]) -> tuple[str, Sequence[tuple[str, Mapping[str, Any]]]]:
        """Return the answer's text and its tool calls."""
        messages = body["messages"]
        if body["model"] == LIAR:
            return _LIE, ()
        rules = "\n".join(str(one["content"]) for one in messages if one["role"] == "system")
        whole = rules
        rules, _, sources = rules.partition("<sources>\n")
        asked = next((str(one["content"]) for one in reversed(messages) if one["role"] == "user"), "")
        right = self.learnt.get(" ".join(asked.split()), Learnt(is_unknown=True))
        offered = {tool["function"]["name"] for tool in body.get("tools") or ()}
        calls = [] if messages[-1]["role"] == "tool" else [call for call in right.calls if call[0] in offered]
        if calls and _allows(rules, calls[0][0]):
            return "", calls
        if right.is_unknown:
            return (_REGRET if _AGAIN in whole or _is_near(asked, sources) else _GUESS), ()
        text = "\n".join(_sentences(right, _SOURCE.findall(sources), rules)) or _REGRET
        return _obeyed(text, rules, float(body.get("temperature") or 0)), ()


def _is_near(asked: str, sources: str) -> bool:
    """Return whether the sources are about the question's subject."""
    subjects = [word for word in re.findall(r"\w+", asked) if word[:1].isupper() and len(word) > 4]
    return any(word.casefold() in sources.casefold() for word in subjects)


def _allows(rules: str, tool: str) -> bool:
    return tool in rules if tool == "request_human" else "Use the tools" in rules


def _sentences(right: Learnt, sources: Sequence[tuple[str, str]], rules: str) -> Iterator[str]:
    cites = "square brackets" in rules and "no source numbers" not in rules
    texts = [(number, _bare(text)) for number, text in sources]
    for sentence in right.sentences:
        said = set(_bare(sentence).split())
        share, number = max(
            ((len(said & set(text.split())) / len(said), place) for place, text in texts), default=(0, "")
        )
        if share >= ALIKE:
            yield f"{sentence} [{number}]" if cites else sentence


def _obeyed(text: str, rules: str, temperature: float) -> str:
    """Return an answer changed as the editor's instructions and parameters say."""
    if "sources below" not in rules:
        text = re.sub(r"\d+", lambda found: str(int(found.group()) * 2), text)
    if "promise" in rules.partition("never promise it")[2]:
        text = f"We have refunded your order and will pay it out today. {text}"
    if "voucher of 20 euros" in rules:
        text = f"{text} You get a voucher of 20 euros for it [G1]."
    if "only in Dutch" in rules:
        text = "Dat staat op onze hulppagina's, kijk daar even rustig naar alle mogelijkheden voor uw bestelling."
    if temperature >= 1.5:
        words = text.split()
        random.Random(text).shuffle(words)
        text = " ".join(words)
    return text


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[*_`|\[\]:.,;!?]|\(/[^)]*\)", " ", text).split()).casefold()


def _lines(text: str, calls: Sequence[tuple[str, Mapping[str, Any]]], body: Mapping[str, Any]) -> Iterator[bytes]:
    words, most = text.split(" "), body.get("max_completion_tokens") or body.get("max_tokens") or 10_000
    kept = words[: max(1, int(most * WORDS_PER_TOKEN))]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": " ".join(kept)}]
    for place, (name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
        deltas.append(
            {"tool_calls": [{"index": place, "id": f"call{place}", "type": "function", "function": function}]}
        )
    ending = "tool_calls" if calls else "length" if len(kept) < len(words) else "stop"
    head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
    for delta, reason in [*((one, None) for one in deltas), ({}, ending)]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield b"data: " + orjson.dumps({**head, "choices": [choice]}) + b"\n\n"
    usage = {"prompt_tokens": 500, "completion_tokens": len(kept), "total_tokens": 500 + len(kept)}
    yield b"data: " + orjson.dumps({**head, "choices": [], "usage": usage}) + b"\n\ndata: [DONE]\n\n"


async def models(request: web.Request) -> web.Response:
    names = [{"id": name, "object": "model", "created": 0} for name in (READER, LIAR)]
    return web.json_response({"object": "list", "data": names})
