"""Finding connections of the current workspace."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from actions.connections.models import Connection, Environment
from actions.errors import NotConnected
from supportbot.errors import NotFound


def connection_named(name: str, environment: str = Environment.LIVE) -> Connection:
    """Return the workspace's connection with this name, as used in definitions; raises NotConnected."""
    found = Connection.objects.filter(name=name, environment=environment).first()
    if found is None:
        facts = {"environment": environment, "name": name[:60]}
        raise NotConnected(_("There is no %(environment)s connection named %(name)s.") % facts)
    return found


def connection_with_id(connection_id: UUID) -> Connection:
    """Return a connection of the workspace; raises NotFound."""
    found = Connection.objects.filter(pk=connection_id).first()
    if found is None:
        raise NotFound()
    return found


def listed_connections() -> "QuerySet[Connection]":
    """Return the workspace's connections by name, without decrypting their secrets."""
    return Connection.objects.defer("secret", "previous_secret").order_by("name", "environment")
