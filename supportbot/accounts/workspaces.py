"""Workspaces: creating and changing them, and the time in their time zone."""

import re
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext

from supportbot.accounts.errors import NameTaken
from supportbot.accounts.field_checks import check_fields, check_locale
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import InvalidInput
from supportbot.team_language import team_language

CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def create_workspace(name: str, *, slug: str = "", locale: str = "en", currency: str = "EUR", **more: str) -> Workspace:
    """Create a workspace. Raises NameTaken if its slug exists, or InvalidInput for an invalid language or currency.

    `more` sets further fields of the workspace: timezone, site_url and accent.
    """
    slug = slug or slugify(name)
    if not slug:
        raise InvalidInput(fields={"slug": [gettext("Use a slug of letters, digits and hyphens.")]})
    check_locale(locale)
    if not CURRENCY.fullmatch(currency):
        raise InvalidInput(fields={"currency": [gettext("Use a currency code of three capital letters, such as EUR.")]})
    workspace = Workspace(name=name.strip(), slug=slug, locale=locale, currency=currency, **more)
    check_fields(workspace)
    try:
        with transaction.atomic():
            workspace.save(force_insert=True)
    except IntegrityError as error:
        raise NameTaken(
            gettext("The workspace {slug} already exists.").format(slug=slug),
            fields={"slug": [gettext("Already taken.")]},
        ) from error
    return workspace


@transaction.atomic
def change_workspace(workspace_id: UUID, **changes: str) -> Workspace:
    """Change a workspace's name, language, colour or links. Raises InvalidInput with the field's name."""
    workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)
    if "locale" in changes:
        check_locale(changes["locale"])
    for field, value in changes.items():
        setattr(workspace, field, value)
    check_fields(workspace)
    workspace.save(update_fields=list(changes))
    return workspace


def workspace_time(moment: datetime) -> datetime:
    """Return the time in the workspace's time zone."""
    zone = Workspace.objects.values_list("timezone", flat=True).get(pk=current_workspace_id())
    return moment.astimezone(ZoneInfo(zone))


def stored_language(workspace_id: UUID) -> str:
    """Return the language of sentences that workers store for the whole team: the workspace's language, or English."""
    return team_language(Workspace.objects.values_list("locale", flat=True).get(pk=workspace_id)[:2])
