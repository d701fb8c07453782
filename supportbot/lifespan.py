"""Starts and stops what a web process runs in addition to requests: outbox relay, turn runner, model client."""

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.urls import get_resolver

from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from supportbot.assistant.drafting import Draft
from supportbot.assistant.runner import runner
from supportbot.evals.product_mark import build
from supportbot.language.detection import detect
from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.words import stem
from supportbot.llm import gateway
from supportbot.llm.conf import is_remote_configured
from supportbot.mcp.asgi import hosted as agents
from supportbot.observing import tracing
from supportbot.outbox.relay_thread import relay

logger = logging.getLogger(__name__)
COLLECT_AFTER = 5_000  # objects created and not freed; the default is 700
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Speak the ASGI lifespan protocol: `startup` starts the parts, `shutdown` drains them."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            tracing.start("web")
            relay.start(without=settings.OUTBOX_OF_WORKERS)
            runner.start()
            # In its own thread, so that a shutdown does not wait for it.
            threading.Thread(target=prepare, name="warm-up", daemon=True).start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.gather(runner.stop(), asyncio.to_thread(relay.stop), agents.stop())
            await gateway.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


def prepare() -> None:
    """Note which build this is, load what the first turn needs, and exclude all of it from garbage collection."""
    build()
    warm_up()
    # What has been loaded so far lives as long as the process. Without this, every full collection would scan all of it
    # and stop every chat for a tenth of a second.
    gc.collect()
    gc.freeze()
    # Most of what a turn creates has no cycles, so looking for them seven times as rarely costs little memory; by
    # default, that takes half a millisecond of a turn, and more than a whole one of a turn with a search.
    gc.set_threshold(COLLECT_AFTER)


def warm_up() -> None:
    """Load what the first requests and the first turn would wait for.

    That is all pages, the embedding model, the tables of `language` and of the checks, and a remote model's SDK.
    """
    _ = get_resolver().url_patterns
    detect("ready", "en")
    stem("ready", "en")
    fold_homoglyphs("ɑ")
    draft = Draft((), "en")  # its first answer would stop the event loop while the tables of the checks are read
    draft.write("Your parcel arrives in 3 days.")
    draft.finish()
    draft.weigh({})
    try:
        embedder().query("ready")
    except EmbeddingUnavailable as error:
        logger.warning("no embedding model yet: %s", error.message)
    if is_remote_configured():
        import_module("supportbot.llm.providers.openai")
