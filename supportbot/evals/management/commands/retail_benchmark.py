"""`manage.py retail_benchmark TASKS`: run the retail tasks of a public benchmark with the models of a workspace.

TASKS is one of its task files; the shop's records (`db.json`) and its policy (`policy.md`) are in the same folder.
"""

from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.models import Article
from supportbot.accounts.commands import ProductCommand, workspace_named
from supportbot.accounts.models import Channel, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.staff_principals import staff_of
from supportbot.accounts.team_members import add_member
from supportbot.accounts.workspaces import create_workspace
from supportbot.chat.models import Conversation
from supportbot.evals.models import Run
from supportbot.evals.retail.preparation import follow_policy, is_prepared, offer_operations
from supportbot.evals.retail.shop import CURRENCY, merchants_from
from supportbot.evals.retail.task_files import NAME
from supportbot.evals.runs.command_output import facts_of, words_of_run
from supportbot.evals.runs.run_worker import execute_held, finished, new_runner
from supportbot.evals.selectors import run_with_id
from supportbot.evals.services import resume_run, save_suite, start_run
from supportbot.evals.simulation.simulated_merchants import merchants_opened
from supportbot.evals.suite_formats.files import read_suite_file
from supportbot.evals.suite_formats.own_format import MAX_REPEAT, Suite

REPEAT: Final = 4  # enough for pass^1 to pass^4


class Command(ProductCommand):
    help = gettext_noop(
        "Run the retail tasks of tau-bench with the models of a workspace: a model plays the customers, and what they "
        "confirm is carried out by a shop in memory, new for each task. Prints pass^k and the cost per task."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "tasks", metavar="TASKS", help=gettext("a task file, with db.json and policy.md in the same folder")
        )
        parser.add_argument(
            "--workspace",
            metavar="SLUG",
            default="retail",
            help=gettext("a workspace used for nothing else; created if it is missing"),
        )
        parser.add_argument(
            "--as", dest="person", metavar="USERNAME", default="", help=gettext("the admin who prepares the workspace")
        )
        parser.add_argument("--prepare", action="store_true", help=gettext("only prepare the workspace"))
        parser.add_argument("--first", type=int, default=0, metavar="N", help=gettext("only the first N tasks"))
        parser.add_argument(
            "--repeat", type=int, default=REPEAT, metavar="N", help=gettext("run each task N times (default: 4)")
        )
        parser.add_argument("--resume", metavar="RUN", default="", help=gettext("continue an interrupted run"))

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= options["repeat"] <= MAX_REPEAT:
            raise CommandError(gettext("--repeat must be a number from 1 to {most}.").format(most=MAX_REPEAT))
        tasks = Path(options["tasks"])
        suite, policy = _tasks(tasks, options["first"]), _text(tasks.parent / "policy.md")
        try:
            opens = merchants_from(tasks.parent)
        except (OSError, ValueError) as error:
            raise CommandError(
                gettext("{name} cannot be read: {error}.").format(name="db.json", error=error)
            ) from error
        workspace = _workspace(options["workspace"], options["person"])
        with workspace_scope(workspace.pk), merchants_opened(opens):
            _prepare(workspace, options["person"], policy)
            if options["prepare"]:
                stored = save_suite(suite)
                return {"workspace": workspace.slug, "suite": stored.name, "cases": len(suite.cases)}
            return facts_of(_played(suite, options))

    def words(self, facts: dict[str, Any]) -> str:
        return words_of_run(facts) if "run" in facts else super().words(facts)


def _tasks(file: Path, first: int) -> Suite:
    """Return the suite of a task file, or of its first tasks. Raises InvalidSuite."""
    found = read_suite_file(file)
    if not all(case.needs_merchant for case in found.cases):
        raise CommandError(gettext("{name} contains no retail tasks.").format(name=file.name))
    cases = tuple(islice(found.cases, first)) if first > 0 else found.cases
    return Suite(NAME, found.title, cases, found.about)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(gettext("{name} cannot be read: {error}.").format(name=file.name, error=error)) from error


def _workspace(slug: str, username: str) -> Workspace:
    if not Workspace.objects.filter(slug=slug).exists():
        person = _person(username)
        made = create_workspace("Retail tasks", slug=slug, currency=CURRENCY)
        # The customers are fictional, and if their data were hidden, the results could not be compared with published
        # ones.
        Workspace.objects.filter(pk=made.pk).update(hides_personal_data=False)
        add_member(made, person, Membership.Role.ADMIN)
    workspace = workspace_named(slug)
    with workspace_scope(workspace.pk):
        if any(model.objects.exists() for model in (Channel, Article, Conversation)):
            problem = gettext(
                "“{slug}” is in use: it has channels, articles or chats. Choose a name that is not taken."
            )
            raise CommandError(problem.format(slug=slug))
    if workspace.currency != CURRENCY:
        problem = gettext(
            "The prices in the tasks are in {currency}, but the workspace “{slug}” uses a different currency."
        )
        raise CommandError(problem.format(currency=CURRENCY, slug=slug))
    return workspace


def _person(username: str) -> User:
    found: User | None = User.objects.filter(username=username).first() if username else None
    if found is None:
        raise CommandError(gettext("Specify the admin who prepares the workspace: --as USERNAME."))
    return found


def _prepare(workspace: Workspace, username: str, policy: str) -> None:
    """Offer the shop's operations under its policy. An admin is needed only if something is missing."""
    if not is_prepared():
        offer_operations(_person(username))
    if username:
        staff = staff_of(_person(username), workspace.pk)
        if staff is None or not staff.may("releases:write"):
            raise CommandError(gettext("{username} is not allowed to publish releases here.").format(username=username))
        follow_policy(policy, staff)


def _played(suite: Suite, options: dict[str, Any]) -> Run:
    """Carry out a run in this process, which contains the shop; no worker may take it."""
    runner = new_runner()
    if options["resume"]:
        run = run_with_id(_run_id(options["resume"]))
        resume_run(run.pk, runner=runner)
    else:
        run = start_run(save_suite(suite), repeat=options["repeat"], runner=runner)
    execute_held(run.pk, runner)
    return finished(run_with_id(run.pk))


def _run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(gettext("“{text}” is not the id of a run.").format(text=text)) from error
