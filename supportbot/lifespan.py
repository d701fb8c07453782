"""Starts and stops the parts of a web process that do not serve requests: outbox relay, turn runner, model client."""

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections
from django.urls import get_resolver

from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.recipes import active_recipe, embedder_of
from supportbot.assistant import vectors_for_checks
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.runner import runner
from supportbot.builtin import answer_types, complaints
from supportbot.builtin.intents import courtesy_by_words
from supportbot.evals.build_fingerprint import build
from supportbot.health.checks import report_missing_migrations
from supportbot.language.detection import detect
from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.words import stem
from supportbot.llm import gateway
from supportbot.llm.call_settings import is_remote_configured
from supportbot.mcp.asgi import hosted as agents
from supportbot.observing import tracing
from supportbot.outbox.relay_thread import relay

logger = logging.getLogger(__name__)
COLLECT_AFTER = 5_000  # objects created and not freed; the default is 700
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Speak the ASGI lifespan protocol: `startup` starts the parts, and `shutdown` drains them."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            tracing.start("web")
            relay.start(without=settings.OUTBOX_OF_WORKERS)
            runner.start()
            # In its own thread, so a shutdown does not wait for it.
            threading.Thread(target=_prepare_apart, name="warm-up", daemon=True).start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.gather(runner.stop(), asyncio.to_thread(relay.stop), agents.stop())
            await gateway.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _prepare_apart() -> None:
    try:
        prepare()
        report_missing_migrations()
    finally:
        connections.close_all()


def prepare() -> None:
    """Read the build's fingerprint, and load what the first turn needs.

    What was loaded is excluded from garbage collection.
    """
    build()
    warm_up()
    # Everything loaded so far lives as long as the process. Without this, every full collection would scan all of it
    # and stop every chat for a tenth of a second.
    gc.collect()
    gc.freeze()
    # Most objects of a turn are in no cycles, so looking for cycles a seventh as often costs little memory. By default,
    # it takes half a millisecond per turn, and more than a millisecond if the turn searches.
    gc.set_threshold(COLLECT_AFTER)


def warm_up() -> None:
    """Load everything that the first requests and the first turn would otherwise wait for.

    This includes all pages, the index's embedding model, the tables of `language` and of the checks, and the weights
    that recognise what a message is and what it asks for. If a remote model is configured, it also includes its SDK and
    the models of the checks.
    """
    _ = get_resolver().url_patterns
    detect("ready", "en")
    stem("ready", "en")
    fold_homoglyphs("ɑ")
    # Otherwise, the first answer would block the event loop while the checks' tables are read.
    streamed = CheckedStream((), "en")
    streamed.write("Your parcel arrives in 3 days.")
    streamed.finish()
    streamed.weigh({})
    courtesy_by_words("ready")
    complaints.weights_shipped()
    answer_types.weights_shipped()
    _warm_up_embedder()
    if is_remote_configured():
        import_module("supportbot.llm.providers.openai")
        vectors_for_checks.load()  # only what a model writes is checked


def _warm_up_embedder() -> None:
    """Load the embedding model of the current index: the one chosen in the console or, if none was chosen, the
    configured one.
    """
    try:
        embedder_of(active_recipe()).query("ready")
    except (EmbeddingUnavailable, RecipeMismatch) as error:
        logger.warning("no embedding model yet: %s", error.message)
    except DatabaseError as error:  # the first search loads it
        logger.warning("no embedding model yet: %s", type(error).__name__)
