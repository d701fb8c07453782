"""The routes of releases to models: which connections they can use, and which connections are in use by releases.

The package `releases` knows nothing about models, so settings specify the functions that check and fingerprint
routes.
"""

import hashlib
from typing import Final

from django.conf import settings
from django.utils.translation import gettext

from supportbot.llm.call_settings import is_remote_configured
from supportbot.llm.models import EmbeddingConnection, ModelConnection
from supportbot.releases.document import Document
from supportbot.releases.models import Release
from supportbot.releases.selectors import current

ENVIRONMENT: Final = EmbeddingConnection.ENVIRONMENT  # the connection described by the environment variables
BUILTIN: Final = "builtin"
# The purposes that the built-in answerer serves without a model. Judging needs a model.
BUILTIN_PURPOSES: Final = frozenset({"answer", "summarise", "rewrite", "draft"})
# The fields of a connection that could change its answers or their price.
ANSWER_FIELDS: Final = (
    "base_url",
    "model",
    "temperature",
    "max_output_tokens",
    "input_price",
    "output_price",
    "cached_price",
)


def names() -> dict[str, str]:
    """Return the connections that a release's routes can use, each with its display name."""
    own = {str(pk): name for pk, name in ModelConnection.objects.order_by("name").values_list("pk", "name")}
    return {ENVIRONMENT: gettext("Environment variables"), BUILTIN: gettext("Built-in answerer"), **own}


def numbers_of_releases_with(row: ModelConnection) -> list[int]:
    """Return the numbers of the live release and the drafts whose routes contain a connection."""
    rows = Release.objects.exclude(state=Release.State.REPLACED).order_by("number")
    return [one.number for one in rows if any(str(row.pk) in route for route in one.contents.routes.values())]


def route_problems(document: Document, was_live: bool = False) -> dict[str, list[str]]:
    """Return the errors in a release's routes, which may contain only existing connections that can serve the purpose.

    If the release has been live, unusable connections are skipped, because it must always be possible to go back to it.
    """
    wrong = [] if was_live else _unable(document)
    if named := {name for route in document.routes.values() for name in route} - {ENVIRONMENT, BUILTIN}:
        rows = ModelConnection.objects.select_for_update(no_key=True).values_list("pk", flat=True)
        if named - {str(pk) for pk in rows}:
            wrong.append(gettext("The connection of a model no longer exists. Choose another."))
    return {"routes": wrong} if wrong else {}


def serves(name: str, purpose: str) -> bool:
    """Return whether a connection could serve a purpose.

    For connections that people have added, only a test can tell.
    """
    if name == ENVIRONMENT:
        return is_remote_configured()
    return name != BUILTIN or purpose in BUILTIN_PURPOSES


def _unable(document: Document) -> list[str]:
    routes = document.routes.items()
    unable = {name for purpose, route in routes for name in route if not serves(name, purpose)}
    wrong = []
    if ENVIRONMENT in unable:
        wrong.append(gettext("No model is set in the environment variables. Choose a connection or the default."))
    if BUILTIN in unable:
        wrong.append(
            gettext(
                "The built-in answerer cannot judge, translate or take second looks. Choose a model or the default."
            )
        )
    return wrong


def route_marks() -> dict[str, str]:
    """Return a fingerprint of each connection in the current release's routes. It changes with anything that could
    change the connection's answers or their price. The setting `RELEASES_REFERENCES` names this function.
    """
    named = {name for route in current().document.routes.values() for name in route}
    rows = ModelConnection.objects.filter(pk__in=named - {ENVIRONMENT, BUILTIN})
    marked = {str(row.pk): [str(getattr(row, field)) for field in ANSWER_FIELDS] for row in rows}
    if is_remote_configured():  # a release without routes uses the environment's connection
        marked[ENVIRONMENT] = [settings.OPENAI_BASE_URL, settings.OPENAI_MODEL, settings.OPENAI_VERIFY_MODEL]
    return {name: hashlib.sha256(repr(facts).encode()).hexdigest()[:16] for name, facts in marked.items()}
