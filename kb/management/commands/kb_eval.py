"""`manage.py kb_eval FILE`: measure how well the search finds the articles that answer known questions."""

from typing import Any, get_args

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.evaluation.metrics import CUTOFF, NAMES, difference
from kb.evaluation.runs import (
    Question,
    RunScores,
    SearchFunction,
    as_asked,
    by_mode,
    evaluate,
    missing_articles,
    read_questions,
)
from kb.management.commands.kb_search import positive
from kb.models import Audience
from kb.search import Mode
from kb.terminal_progress import ProgressLine
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.commands import a_path

MODES: tuple[Mode, ...] = get_args(Mode)
SHOWN_MISSING = 5


class Command(WorkspaceCommand):
    help = gettext_noop(
        'Search for every question in a file, one {"id", "question", "gold": [external ids], "exclude"?: [...]} per '
        "line, and print how often the articles were found and how high they ranked. Put earlier "
        'messages under "history", or '
        'the whole conversation under "messages"; each message is {"role", "content"}.'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=a_path)
        parser.add_argument(
            "-k",
            type=positive,
            default=CUTOFF,
            metavar="N",
            help=gettext("number of top articles to consider ({cutoff})").format(cutoff=CUTOFF),
        )
        parser.add_argument("--audience", choices=Audience.values, default=Audience.PUBLIC.value)
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--mode", choices=MODES, default="hybrid")
        mode.add_argument(
            "--compare",
            action="store_true",
            help=gettext("run all three modes and show which differences are significant"),
        )
        mode.add_argument(
            "--as-asked",
            action="store_true",
            help=gettext("search as the assistant does: in parts, with earlier messages, in the question's language"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        questions = read_questions(options["file"])
        self._check_articles(questions, options["audience"])
        audience = options["audience"]
        if options["as_asked"]:
            return self._run(questions, gettext("as asked"), as_asked(audience), options["k"]).facts()
        if not options["compare"]:
            return self._run(questions, options["mode"], by_mode(options["mode"], audience), options["k"]).facts()
        runs = {mode: self._run(questions, mode, by_mode(mode, audience), options["k"]) for mode in MODES}
        modes = {mode: marks.facts() for mode, marks in runs.items()}
        return {"n": len(questions), "modes": modes, "hybrid_over": _gains(runs)}

    def _check_articles(self, questions: list[Question], audience: str) -> None:
        """Report missing articles, whose questions count as misses. Raises CommandError if all are missing."""
        missing = missing_articles(questions, audience)
        if not missing:
            return
        wanted = len(frozenset[str]().union(*(question.wanted for question in questions)))
        few = ", ".join(missing[:SHOWN_MISSING]) + (", …" if len(missing) > SHOWN_MISSING else "")
        problem = gettext(
            "Not among the live articles for --audience {audience}: {articles} ({missing} of {wanted})."
        ).format(audience=audience, articles=few, missing=len(missing), wanted=wanted)
        if len(missing) == wanted:
            raise CommandError(
                gettext("{problem} Nothing can be measured. Check --workspace, --audience and the file.").format(
                    problem=problem
                )
            )
        self.stderr.write(gettext("{problem} These articles count as misses.").format(problem=problem))

    def _run(self, questions: list[Question], name: str, find: SearchFunction, limit: int) -> RunScores:
        with ProgressLine(self.stderr, gettext("searching ({mode})").format(mode=name)) as progress:
            return evaluate(questions, find, limit=limit, each=lambda done: progress(done, len(questions)))

    def words(self, facts: dict[str, Any]) -> str:
        if "modes" not in facts:
            return super().words(facts)
        lines = [f"{'':<8}" + "".join(f"{name:>10}" for name in NAMES)]
        lines += [
            f"{mode:<8}" + "".join(f"{marks[name]:>10.3f}" for name in NAMES) for mode, marks in facts["modes"].items()
        ]
        for mode, gains in facts["hybrid_over"].items():
            lines.append(
                gettext("hybrid compared with {mode}, with the 95% interval of a paired bootstrap:").format(mode=mode)
            )
            lines += [
                f"  {name:<9} {mean:+.3f}  [{low:+.3f}, {high:+.3f}]" for name, (mean, low, high) in gains.items()
            ]
        return "\n".join(lines)


def _gains(runs: dict[Mode, RunScores]) -> dict[str, dict[str, list[float]]]:
    """Return the gain of hybrid search over each index alone, with its bounds."""
    return {
        mode: {
            name: [round(value, 4) for value in difference(runs["hybrid"].scores, runs[mode].scores, name)]
            for name in NAMES
        }
        for mode in MODES
        if mode != "hybrid"
    }
