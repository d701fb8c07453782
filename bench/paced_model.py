"""A Chat Completions server that streams at an exact pace, for benchmarks.

    python -m bench.paced_model --port 9100

Each token has a due time on one clock, so a late token does not delay the next. `GET /lateness` returns how late the
tokens since the last call were sent, in milliseconds: the noise floor of a run. (tests/modelserver is for faults: it
sleeps between tokens, so it drifts by a millisecond per token.)
"""

import argparse
import asyncio
import time
from typing import Any, Final

import orjson
import uvloop
from aiohttp import web

from bench.answers import tokens_for
from bench.figures import percentile
from bench.schedule import SCHEDULE

MODEL: Final = "paced"
_HEAD: Final = {"id": "chatcmpl-paced", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
_lateness_ms: list[float] = []


def _line(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps({**_HEAD, **chunk}) + b"\n\n"


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _line({"system_fingerprint": None, "choices": [choice]})


def _closing(body: dict[str, Any]) -> bytes:
    lines = [_chunk({}, "stop")]
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 500, "completion_tokens": SCHEDULE.tokens, "total_tokens": 500 + SCHEDULE.tokens}
        lines.append(_line({"choices": [], "usage": usage}))
    return b"".join([*lines, b"data: [DONE]\n\n"])


async def chat(request: web.Request) -> web.StreamResponse:
    body = orjson.loads(await request.read())
    began = time.monotonic()
    prompt = "\n".join(message["content"] or "" for message in body["messages"] if message["role"] == "system")
    chunks = [_chunk({"content": token}) for token in tokens_for(prompt, SCHEDULE.tokens)]
    chunks[0] = _chunk({"role": "assistant", "content": ""}) + chunks[0]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for number, chunk in enumerate(chunks):
        due = began + SCHEDULE.due(number)
        await asyncio.sleep(due - time.monotonic())
        _lateness_ms.append((time.monotonic() - due) * 1000)
        await response.write(chunk)
    await response.write(_closing(body))
    return response


async def models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0}]})


async def lateness(request: web.Request) -> web.Response:
    found = {"p50": percentile(_lateness_ms, 50), "p99": percentile(_lateness_ms, 99)}
    _lateness_ms.clear()
    return web.json_response(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9100)
    application = web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_post("/v1/chat/completions", chat)
    application.router.add_get("/v1/models", models)
    application.router.add_get("/lateness", lateness)
    loop = uvloop.new_event_loop()
    web.run_app(application, host="127.0.0.1", port=parser.parse_args().port, print=None, access_log=None, loop=loop)


if __name__ == "__main__":
    main()
