"""The display names of actors, such as people and API keys."""

from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from django.utils.translation import gettext

from supportbot.accounts.models import User


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Return the display name of each actor, using a single query. Records contain ids, never names."""
    distinct = set(actors)
    people = {f"user:{one.pk}": one.display_name for one in User.objects.filter(pk__in=user_ids(distinct))}
    return {actor: people.get(actor) or _actor_label(actor) for actor in distinct}


def user_ids(actors: Iterable[str]) -> list[UUID]:
    """Return the user ids of those actors who are people."""
    found = []
    for actor in actors:
        kind, _, who = actor.partition(":")
        with suppress(ValueError):  # text from elsewhere that merely starts like a person's id
            found += [UUID(who)] if kind == "user" else []
    return found


def _actor_label(actor: str) -> str:
    kind, _, who = actor.partition(":")
    named = {
        "customer": gettext("the customer"),
        "policy": gettext("the rules"),
        "system": gettext("the system"),
        "worker": gettext("the system"),
        "merchant": gettext("the connected system"),
        "evaluation": gettext("an evaluation"),
        "command": gettext("a command"),
        "operator": gettext("operator {name}").format(name=who),
        "key": gettext("API key {name}").format(name=who),
        "user": gettext("a former member"),
    }
    return named.get(kind, actor)
