"""Computes the vectors of a question while its turn is being claimed.

A turn waits for them before it takes one of the few database threads: a thread that is busy computing would keep other
chats' messages from being stored.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID

from django.conf import settings

from kb.embedders.packaged import PackagedEmbedder
from kb.errors import EmbeddingUnavailable
from kb.indexing.recipes import embedder_in_use
from kb.search.query_preparation import clean, is_long
from supportbot.builtin.intents import courtesy
from supportbot.installation.cores import usable_cores
from supportbot.language.normalise import normalised

logger = logging.getLogger(__name__)
MAX_RUNNING: Final = 64  # above this number, a turn computes its own vectors

_threads: Final = ThreadPoolExecutor(max_workers=usable_cores(), thread_name_prefix="prefetch")
_running: dict[UUID, asyncio.Future[None]] = {}


def prefetch_vectors(conversation_id: UUID, text: str) -> None:
    """Start computing the vectors that the turn of a newly stored message needs."""
    if not settings.KB_RETRIEVAL or conversation_id in _running or len(_running) >= MAX_RUNNING:
        return
    computing = asyncio.get_running_loop().run_in_executor(_threads, _compute, text)
    _running[conversation_id] = computing
    computing.add_done_callback(lambda _: _running.pop(conversation_id, None))


async def vectors_prefetched(conversation_id: UUID) -> None:
    """Wait until the vectors of the conversation's newest question are ready, if this process is computing them."""
    computing = _running.get(conversation_id)
    if computing is not None:
        await asyncio.wait([computing])


def _compute(text: str) -> None:
    question = normalised(text)
    try:
        is_small_talk = courtesy(question) is not None
        used = embedder_in_use()
        # this embedder caches its vectors
        if isinstance(used, PackagedEmbedder) and not is_small_talk and not is_long(question):
            used.query(clean(question))
    except EmbeddingUnavailable:  # search will notice this and use only words
        return
    except Exception:
        # The edge of a thread: the turn will encounter and report the same problem.
        logger.exception("the vectors of a question could not be prefetched")
