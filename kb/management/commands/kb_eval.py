"""`manage.py kb_eval FILE`: how well the search finds the articles that questions are known to be about."""

from pathlib import Path
from typing import Any, get_args

from django.core.management.base import CommandError, CommandParser

from kb.evaluation.measures import CUTOFF, NAMES, difference
from kb.evaluation.runs import Finding, Marks, Question, as_asked, by_mode, evaluate, not_here, read_questions
from kb.management.commands.kb_search import positive
from kb.models import Audience
from kb.progress import ProgressLine
from kb.search import Mode
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace

MODES: tuple[Mode, ...] = get_args(Mode)
SHOWN_MISSING = 5


class Command(WorkspaceCommand):
    help = (
        'Search for every question of a file, one {"id", "question", "gold": [external ids], "exclude"?: [...]} a '
        "line, and print how often the article was found and how high it stood. What was said before a question "
        'stands under "history", or the whole conversation under "messages", each message {"role", "content"}.'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument("-k", type=positive, default=CUTOFF, metavar="N", help=f"articles looked at ({CUTOFF})")
        parser.add_argument("--audience", choices=Audience.values, default=Audience.PUBLIC.value)
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--mode", choices=MODES, default="hybrid")
        mode.add_argument(
            "--compare", action="store_true", help="run all three modes and say which differences are real"
        )
        mode.add_argument(
            "--as-asked",
            action="store_true",
            help="search as the assistant does: in parts, with what was said before, in the question's language",
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        questions = read_questions(options["file"])
        self._check_articles(questions, options["audience"])
        audience = options["audience"]
        if options["as_asked"]:
            return self._run(questions, "as asked", as_asked(audience), options["k"]).facts()
        if not options["compare"]:
            return self._run(questions, options["mode"], by_mode(options["mode"], audience), options["k"]).facts()
        runs = {mode: self._run(questions, mode, by_mode(mode, audience), options["k"]) for mode in MODES}
        modes = {mode: marks.facts() for mode, marks in runs.items()}
        return {"n": len(questions), "modes": modes, "hybrid_over": _gains(runs)}

    def _check_articles(self, questions: list[Question], audience: str) -> None:
        """Say which articles are missing: their questions count as missed, and all zeros would look like a result."""
        missing = not_here(questions, audience)
        if not missing:
            return
        wanted = len(frozenset[str]().union(*(question.wanted for question in questions)))
        few = ", ".join(missing[:SHOWN_MISSING]) + (", …" if len(missing) > SHOWN_MISSING else "")
        told = f"Not live here for {audience} readers: {few} ({len(missing)} of the {wanted} articles named)."
        if len(missing) == wanted:
            raise CommandError(f"{told} Nothing can be measured: look at --workspace, --audience and the file.")
        self.stderr.write(f"{told} Not finding them counts against the search.")

    def _run(self, questions: list[Question], name: str, find: Finding, limit: int) -> Marks:
        with ProgressLine(self.stderr, f"asking ({name})") as progress:
            return evaluate(questions, find, limit=limit, each=lambda done: progress(done, len(questions)))

    def words(self, facts: dict[str, Any]) -> str:
        if "modes" not in facts:
            return super().words(facts)
        lines = [f"{'':<8}" + "".join(f"{name:>10}" for name in NAMES)]
        lines += [
            f"{mode:<8}" + "".join(f"{marks[name]:>10.3f}" for name in NAMES) for mode, marks in facts["modes"].items()
        ]
        for mode, gains in facts["hybrid_over"].items():
            lines.append(f"hybrid over {mode}, with the 95 % interval of a paired bootstrap:")
            lines += [
                f"  {name:<9} {mean:+.3f}  [{low:+.3f}, {high:+.3f}]" for name, (mean, low, high) in gains.items()
            ]
        return "\n".join(lines)


def _gains(runs: dict[Mode, Marks]) -> dict[str, dict[str, list[float]]]:
    """Return by how much hybrid search is better than either index alone, and between which bounds."""
    return {
        mode: {
            name: [round(value, 4) for value in difference(runs["hybrid"].scores, runs[mode].scores, name)]
            for name in NAMES
        }
        for mode in MODES
        if mode != "hybrid"
    }
