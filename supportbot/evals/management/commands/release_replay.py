"""`manage.py release_replay --release NUMBER`: replay recent questions with a release."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.evals.replays.shadow_replay import MOST_DAYS, MOST_QUESTIONS, replay
from supportbot.evals.runs.case_runner import ModelUnreachable
from supportbot.evals.runs.release_under_test import release_numbered
from supportbot.releases.selectors import live_release


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Answer customers' questions from the last few days with a release and with the live one, without side "
        "effects, and list where the answers differ, worst first. Both releases call their models, at the usual price."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--release", metavar="NUMBER", required=True, help=gettext("the release to compare with the live one")
        )
        parser.add_argument("--days", type=int, default=7, metavar="N", help=gettext("how many days to go back"))
        parser.add_argument("--most", type=int, default=100, metavar="N", help=gettext("maximum number of questions"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        for name, most in (("days", MOST_DAYS), ("most", MOST_QUESTIONS)):
            if not 1 <= options[name] <= most:
                raise CommandError(gettext("--{name} must be a number from 1 to {most}.").format(name=name, most=most))
        live, candidate = live_release(), release_numbered(options["release"])
        try:
            found = replay(live, candidate, days=options["days"], most=options["most"])
        except ModelUnreachable as away:
            raise CommandError(gettext("The model did not answer ({code}).").format(code=away.code)) from away
        return {"live": live.number, "release": candidate.number, **asdict(found)}

    def words(self, facts: dict[str, Any]) -> str:
        text = gettext("{number} of {questions} questions are answered differently; {unplayed} could not be asked.")
        lines = [
            f"{', '.join(one['kinds'])}: {one['question']}\n  - {one['before']}\n  + {one['after']}"
            for one in facts["differences"]
        ]
        number = len(facts["differences"])
        summary = text.format(number=number, questions=facts["questions"], unplayed=facts["unplayed"])
        return "\n".join([*lines, summary])
