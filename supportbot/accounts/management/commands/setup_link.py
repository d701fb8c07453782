"""`manage.py setup_link`: print the link that creates the first administrator of an empty installation."""

from typing import Any

from django.utils.translation import gettext_noop

from supportbot.accounts.commands import ProductCommand
from supportbot.accounts.first_administrator import make_link


class Command(ProductCommand):
    help = gettext_noop("Print a link that creates the first administrator. It works once, within three days.")

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"setup": make_link()}

    def words(self, facts: dict[str, Any]) -> str:
        return str(facts["setup"])
