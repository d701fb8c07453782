"""Liveness, readiness and metrics.

Details and metrics reveal too much to strangers: they need METRICS_TOKEN, unless the instance listens on loopback
only, is not public, and the request came directly from this machine.
"""

import asyncio
import time
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from asgiref.sync import async_to_sync
from channels.layers import BaseChannelLayer, get_channel_layer
from django.conf import settings
from django.core.cache import cache
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu.exceptions import OperationalError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kb.errors import EmbeddingUnavailable
from kb.models import Recipe
from kb.ports import embedder
from supportbot.assistant.runner import runner
from supportbot.celery import app as celery_app
from supportbot.chat.layer import LAYER_ERRORS, PATIENCE_SECONDS
from supportbot.outbox.services import parked
from supportbot.outbox.tasks import HEARTBEAT_KEY

HEARTBEAT_MAX_AGE_SECONDS = 45
# Headers that proxies add, including those of large providers: such a request is not from this machine.
FORWARDED = ("x-forwarded", "forwarded", "x-real-ip", "via", "cf-connecting-ip", "true-client-ip")

AWAY: Final = (AnyDatabaseError, OperationalError, EmbeddingUnavailable, *LAYER_ERRORS)  # these are the cache's too


def livez(request: HttpRequest) -> HttpResponse:
    """Return 200 while the process serves requests; checks nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 if everything that turns and actions need is available, else 503; details need permission."""
    checks = {name: _outcome(check) for name, check in CHECKS.items()}
    is_ready = all(outcome == "ok" for outcome in checks.values())
    body: dict[str, object] = {"ready": is_ready}
    if _may_see_details(request):
        body["checks"] = checks
        # Not a reason to take this process out of service: another one would do no better.
        body["parked_announcements"] = _parked() if checks["database"] == checks["migrations"] == "ok" else None
    return JsonResponse(body, status=200 if is_ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics in Prometheus' text format."""
    if not _may_see_details(request):
        return HttpResponse("The metrics token is required.\n", status=403, content_type="text/plain")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _may_see_details(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN and _shows_token(request):
        return True
    was_forwarded = any(name.lower().startswith(FORWARDED) for name in request.headers)
    is_private = settings.HOST in {"127.0.0.1", "localhost", "::1"} and not settings.PUBLIC_URL
    return is_private and not was_forwarded and request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}


def _shows_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # As bytes: compare_digest accepts only ASCII strings.
    is_same = compare_digest(token.encode("utf-8", "surrogatepass"), settings.METRICS_TOKEN.encode())
    return scheme.lower() == "bearer" and is_same


def _outcome(check: Callable[[], str]) -> str:
    try:
        return check()
    except AWAY as error:
        return type(error).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _vector_extension() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")
        return "ok" if cursor.fetchone() else "missing"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "behind" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _layer() -> str:
    layer = get_channel_layer()
    assert layer is not None  # settings always name one
    async_to_sync(_knock)(layer)
    return "ok"


async def _knock(layer: BaseChannelLayer) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await layer.send("readyz", {"type": "probe"})


def _broker() -> str:
    with celery_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return "ok"


def _worker() -> str:
    seen = cache.get(HEARTBEAT_KEY)
    return "ok" if seen and time.time() - seen < HEARTBEAT_MAX_AGE_SECONDS else "no heartbeat"


def _recipe() -> str:
    """The vectors stored are those the set embedder makes; without a recipe nothing has been imported yet."""
    active = Recipe.objects.filter(is_active=True).first()
    return "ok" if active is None or active.name == embedder().recipe.name else "kb_reindex is due"


def _runner() -> str:
    return "stopped" if runner.has_died else "ok"


def _parked() -> int | None:
    try:
        return parked().count()
    except AnyDatabaseError:  # gone since it was checked
        return None


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "vector": _vector_extension,
    "migrations": _migrations,
    "layer": _layer,
    "broker": _broker,
    "worker": _worker,
    "recipe": _recipe,
    "runner": _runner,
}
