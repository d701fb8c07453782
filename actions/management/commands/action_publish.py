"""`manage.py action_publish NAME --as USERNAME`: publish a version of a definition, as one of the admins."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.definitions.case_file import keep_cases
from actions.definitions.publishing import publish, switch_off
from actions.definitions.selectors import definition_named, newest_version
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import User, Workspace
from supportbot.commands import text_of
from supportbot.errors import NotFound


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Publish a definition, as an admin. An action that changes something needs recorded cases and must be "
        "published by an admin other than the one who saved it; a workspace's only admin must give a --reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--as", dest="person", metavar="USERNAME", required=True, help=gettext("the admin who publishes")
        )
        parser.add_argument(
            "--version-number", type=int, metavar="N", help=gettext("the version to publish (default: the newest)")
        )
        parser.add_argument(
            "--reason", default="", help=gettext("why you publish your own version; kept in the audit trail")
        )
        parser.add_argument(
            "--cases", metavar="FILE", default="", help=gettext("first record the cases in this JSON file")
        )
        parser.add_argument(
            "--off",
            action="store_true",
            help=gettext("stop offering the action; also stops requests that have not been sent"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        person: User | None = User.objects.filter(username=options["person"]).first()
        if person is None:
            raise NotFound(gettext("User {name} does not exist.").format(name=options["person"]))
        definition = definition_named(options["name"])
        if options["off"]:
            definition = switch_off(definition.name, person=person)
        else:
            if options["cases"]:
                keep_cases(definition, text_of(options["cases"]), actor=operator())
            number = options["version_number"] or newest_version(definition).number
            definition = publish(definition.name, number=number, person=person, reason=options["reason"])
        return {
            "name": definition.name,
            "state": str(definition.state),
            "version": definition.current.number if definition.current else None,
        }
