"""`manage.py action_import FILE`: save definitions, or what an OpenAPI file or an MCP server offers, as drafts."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.connections.models import Environment
from actions.definitions.import_and_export import ImportResult, as_json, import_text, import_tools
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Workspace
from supportbot.commands import text_of
from supportbot.team_formats import labelled


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Import actions as switched-off drafts, from definitions (JSON), an OpenAPI 3 file (JSON or YAML), or an "
        "MCP server's tools."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file", metavar="FILE", nargs="?", default="", help=gettext("path of the file, or - to read standard input")
        )
        parser.add_argument(
            "--tools-of",
            metavar="NAME",
            default="",
            help=gettext("instead of a file: a connection to an MCP server"),
        )
        parser.add_argument("--environment", choices=Environment.values, default=Environment.LIVE)
        parser.add_argument(
            "--connection",
            metavar="NAME",
            default="",
            help=gettext("the connection used by the drafts of an OpenAPI file"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        actor = operator()
        result = _imported(options, actor)
        if not options["json"]:
            for note in result.notes:
                self.stdout.write(note)
        return as_json(result)

    def words(self, facts: dict[str, Any]) -> str:
        drafts = facts["definitions"]
        lines = []
        for one in drafts:
            lines += [
                labelled(one["name"], _lacks(one["missing"])),
                *("  " + gettext("Check {what}").format(what=check) for check in one.get("check", ())),
            ]
        return "\n".join([gettext("Saved as drafts, switched off: {number}").format(number=len(drafts)), *lines])


def _imported(options: dict[str, Any], actor: str) -> ImportResult:
    if bool(options["file"]) == bool(options["tools_of"]):
        raise CommandError(gettext("Specify a file, or a connection with --tools-of."))
    if options["tools_of"]:
        return import_tools(options["tools_of"], actor=actor, environment=options["environment"])
    return import_text(text_of(options["file"]), actor=actor, connection=options["connection"])


def _lacks(missing: list[str]) -> str:
    return gettext("still missing {names}").format(names=", ".join(missing)) if missing else gettext("complete")
