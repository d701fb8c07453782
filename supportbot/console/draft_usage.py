"""How agents used the drafts offered at the desk, as table rows by release or by person."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.models import User
from supportbot.console.conversations.reporting_period import Span
from supportbot.console.display import percent
from supportbot.handoff.desk.offered_drafts import DraftOutcomes, shares_by_person, shares_by_release
from supportbot.insights.improve.findings import DAYS
from supportbot.team_formats import number


def rows_by_release() -> list[dict[str, Any]]:
    """Return a row for each release whose drafts were offered in the period that Improve shows."""
    until: datetime = now()
    found = shares_by_release(until - timedelta(days=DAYS), until)
    words = gettext("Release {number}")
    return [_row(words.format(number=release) if release else "–", shares) for release, shares in found]


def rows_by_person(span: Span) -> list[dict[str, Any]]:
    """Return a row for each person who was offered drafts, starting with the person who was offered the most."""
    found = shares_by_person(span.since, span.until)
    people = User.objects.in_bulk([pk for pk in found if pk])
    rows = [(people[pk].display_name if pk in people else "–", shares) for pk, shares in found.items()]
    return [_row(name, shares) for name, shares in sorted(rows, key=lambda row: (-row[1].offered, row[0]))]


def _row(name: str, shares: DraftOutcomes) -> dict[str, Any]:
    numbers = (shares.as_is, shares.edited, shares.replaced, shares.unused)
    return {
        "name": name,
        "offered": number(shares.offered),
        "cells": [percent(shares.share(one)) for one in numbers],
    }
