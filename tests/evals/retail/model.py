"""A model server that plays both sides of the sample's tasks. It has no state: its answers depend on the request."""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from supportbot.assistant.prompts import fenced
from tests.modelserver import Behaviour, Call, ModelServer
from tests.patience import PATIENCE_SECONDS

Assistant = Callable[[list[str], list[str]], Behaviour]  # the customer's message, and the results of tools
Turn = Callable[[int], Behaviour]  # by the number of look-ups made so far
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_PLAYS: Final = "You play a customer"
_GOALS: Final = {
    "return the lamp": "Please return the lamp of #W0000002.",
    "from blue to red": "Please change the mug in #W0000001 to red.",
    "cancel #W0000003": "Cancel #W0000003!",
}


def say(text: str = "", *, card: str = "", done: bool = False) -> Behaviour:
    return Behaviour(text=json.dumps({"say": text, "card": card, "done": done}))


def call(name: str, **arguments: Any) -> Behaviour:
    return Behaviour(text="", calls=(Call(name, json.dumps(arguments)),), finish_reason="tool_calls")


def finishes(steps: list[dict[str, Any]], told: list[str]) -> list[Turn]:
    """Return a task's answers, by the customer's message: look-ups first, then the one step that ends the answer."""
    answers: list[Turn] = []
    reads: list[dict[str, Any]] = []
    for step in steps:
        if step["kind"] == "read" and step["expect"] == "ok":
            reads.append(step)
        else:
            answers.append(_answer_with(reads, step))
            reads = []
    # Facts in the final text must have been looked up for this answer, or the checks withhold them.
    right = [step for step in steps if step["expect"] == "ok"] if told else []
    again = [step for step in right if step["name"].startswith("get_")]
    computed = [{"name": "calculate", "arguments": {"expression": one}} for one in told if _NUMBER.fullmatch(one)]
    orders = sorted({step["arguments"]["order_id"] for step in right if "order_id" in step["arguments"]})
    looked = [{"name": "get_order_details", "arguments": {"order_id": order}} for order in orders]
    return [*answers, _answer_with([*reads, *again, *looked, *computed], None, ", ".join(told))]


def _answer_with(reads: list[dict[str, Any]], last: dict[str, Any] | None, told: str = "") -> Turn:
    calls = [Call(one["name"], json.dumps(one["arguments"]), id=f"c{at}") for at, one in enumerate(reads)]

    def answer(found: int) -> Behaviour:
        if found < len(calls):
            return Behaviour(text="", calls=tuple(calls[found : found + 8]), finish_reason="tool_calls")
        return call(last["name"], **last["arguments"]) if last else Behaviour(text=f"{told} That is all.")

    return answer


class BothSides(ModelServer):
    """A model of both sides: the customer states the goal, decides on the first card and ends; `assistant` answers."""

    def __init__(self, assistant: Assistant, *, decides: str = "confirm") -> None:
        super().__init__()
        self._assistant = assistant
        self._decides = decides

    async def _chat(self, behaviour: Behaviour, body: dict[str, Any], writer: Any) -> None:
        await super()._chat(self._said(body["messages"]), body, writer)

    def _said(self, messages: list[dict[str, Any]]) -> Behaviour:
        system, rest = messages[0]["content"], messages[1:]
        if not system.startswith(_PLAYS):
            last = max((at for at, one in enumerate(rest) if one["role"] == "user"), default=0)
            said = [str(one["content"]) for one in rest if one["role"] == "user"]
            return self._assistant(said, [str(one["content"]) for one in rest[last:] if one["role"] == "tool"])
        answers = [one["content"] for one in rest if one["role"] == "user"][1:]
        if not answers:
            return say(next(text for goal, text in _GOALS.items() if goal in system))
        return say(card=self._decides) if "[Card to confirm" in answers[-1] else say(done=True)


class Oracle(BothSides):
    """A model that does what the tasks expect, one step for each of the customer's messages."""

    def __init__(self, tasks: list[dict[str, Any]]) -> None:
        super().__init__(lambda said, found: Behaviour())
        self._names = {goal_of(task): task["id"] for task in tasks}
        self._answers = {task["id"]: finishes(task["steps"], task.get("communicate_info") or []) for task in tasks}

    def _said(self, messages: list[dict[str, Any]]) -> Behaviour:
        system, rest = messages[0]["content"], messages[1:]
        said = [str(one["content"]) for one in rest if one["role"] == "user"]
        if not system.startswith(_PLAYS):
            last = max(at for at, one in enumerate(rest) if one["role"] == "user")
            task, step = said[-1].split()
            return self._answers[task][int(step)](sum(one["role"] == "tool" for one in rest[last:]))
        if len(said) > 1 and "[Card to confirm" in said[-1]:
            return say(card="confirm")
        # Long conversations lose their first messages, so each message contains the number of the step.
        own = [str(one["content"]).split() for one in rest if one["role"] == "assistant"]
        steps = [int(words[1]) for words in own if words[0] in self._answers]
        goal = max((goal for goal in self._names if goal in system), key=len)
        task, step = self._names[goal], max(steps, default=-1) + 1
        return say(f"{task} {step}") if step < len(self._answers[task]) else say(done=True)


def goal_of(task: dict[str, Any]) -> str:
    """Return the line of a customer's goal by which the server knows the task."""
    scenario = task["scenario"]
    text = str(scenario if isinstance(scenario, str) else scenario["reason_for_call"]).strip()
    return fenced(text)


@contextmanager
def serving(server: ModelServer) -> Iterator[str]:
    """Serve in another thread, since the command blocks; yields the address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE_SECONDS)
    try:
        yield server.base_url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(PATIENCE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_SECONDS)
        loop.close()
