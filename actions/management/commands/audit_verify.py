"""`manage.py audit_verify`: verify the workspace's audit chain and name the first wrong entry."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.audit import ChainHead, verify
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop("Verify the audit chain, including against the checkpoints stored outside the database.")
    labels = {
        "workspace": gettext_noop("Workspace"),
        "entries": gettext_noop("Entries"),
        "head": gettext_noop("Newest checkpoint"),
        "compared_with": gettext_noop("Checkpoints compared"),
    }

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--head", metavar="SEQ:MAC", default="", help=gettext("a checkpoint that you kept elsewhere")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        expected = _checkpoints(workspace)
        if options["head"]:
            expected.append(_head(options["head"]))
        found = verify(expected)
        if not found.is_whole:
            raise CommandError(
                gettext("The audit trail of {slug} is broken: {problem}.").format(
                    slug=workspace.slug, problem=found.problem
                )
            )
        return {
            "workspace": workspace.slug,
            "entries": found.head.seq,
            "head": f"{found.head.seq}:{found.head.mac}",
            "compared_with": len(expected),
        }


def _head(text: str) -> ChainHead:
    seq, _, mac = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or not mac:
        raise CommandError(
            gettext("“{text}” is not a checkpoint in the form that this command prints (SEQ:MAC).").format(text=text)
        )
    return ChainHead(int(seq), mac)


def _checkpoints(workspace: Workspace) -> list[ChainHead]:
    """Return the workspace's checkpoints from the file that the hourly task appends to."""
    path = settings.ACTIONS_AUDIT_HEADS
    if not path.exists():
        return []
    heads = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            note = json.loads(line)
            if note["workspace"] == str(workspace.pk):
                heads.append(ChainHead(int(note["seq"]), str(note["mac"])))
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                gettext(
                    "{path}, line {number} is not a checkpoint: it was changed, or cut off when the disk was full. "
                    "Compare the file with your copy, then delete the line to verify against the others."
                ).format(path=path, number=number)
            ) from error
    return heads
