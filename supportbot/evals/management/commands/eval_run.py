"""`manage.py eval_run SUITE`: run a suite and report whether the assistant still answers as it should.

The exit code is 1 if a `must` case fails or the run has a regression from the baseline.
"""

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.evals.models import Run, Suite
from supportbot.evals.retail.preparation import is_prepared
from supportbot.evals.retail.shop import merchants_from
from supportbot.evals.runs.command_output import facts_of, junit, words_of_run
from supportbot.evals.runs.release_under_test import release_numbered
from supportbot.evals.runs.run_worker import execute_held, executed, finished, new_runner
from supportbot.evals.selectors import last_run_on, run_with_id
from supportbot.evals.services import Baseline, resume_run, save_suite, start_run
from supportbot.evals.simulation.simulated_merchants import merchants_opened
from supportbot.evals.suite_formats.files import SHIPPED, read_suite_file, shipped_suites
from supportbot.evals.suite_formats.own_format import MAX_REPEAT

_NOTHING = "none"  # the value of --against that prevents a comparison


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Run a suite of cases through the assistant, without side effects, and compare it with the last run. The "
        "exit code is 1 if a case that must pass fails, or on a regression."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "suite", metavar="SUITE", nargs="?", default="", help=gettext("a file, or the name of a suite")
        )
        parser.add_argument("--release", metavar="NUMBER", default="", help=gettext("answer with this release"))
        parser.add_argument(
            "--against",
            metavar="NUMBER",
            default="",
            help=gettext("compare with the last run of this release, or `none` for no comparison"),
        )
        parser.add_argument("--repeat", type=int, default=1, metavar="N", help=gettext("run each case N times"))
        parser.add_argument("--resume", metavar="RUN", default="", help=gettext("continue an interrupted run"))
        parser.add_argument("--junit", metavar="FILE", default="", help=gettext("also write a JUnit report"))

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self._is_good:
            sys.exit(1)

    _is_good = True

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= options["repeat"] <= MAX_REPEAT:
            raise CommandError(gettext("--repeat must be a number from 1 to {most}.").format(most=MAX_REPEAT))
        run = _carried_out(options)
        if options["junit"]:
            Path(options["junit"]).write_bytes(junit(run))
        facts = facts_of(run)
        self._is_good = facts["is_good"]
        return facts

    def words(self, facts: dict[str, Any]) -> str:
        return words_of_run(facts)


def _carried_out(options: dict[str, Any]) -> Run:
    """Return the finished run. A run of retail tasks is carried out in this process, which contains their shop; no
    worker may take it.
    """
    folder = _folder_of_tasks(options["suite"])
    if folder is None:
        return executed(_begun(options))
    if not is_prepared():
        problem = gettext(
            "The workspace does not offer the operations of these tasks. Prepare one with `manage.py retail_benchmark "
            "{file} --prepare --as USERNAME`, and choose it with --workspace."
        )
        raise CommandError(problem.format(file=options["suite"]))
    runner = new_runner()
    try:
        opens = merchants_from(folder)
    except (OSError, ValueError) as error:
        raise CommandError(gettext("{name} cannot be read: {error}.").format(name="db.json", error=error)) from error
    with merchants_opened(opens):
        run = _begun(options, runner)
        execute_held(run.pk, runner)
    return finished(run_with_id(run.pk))


def _folder_of_tasks(name: str) -> Path | None:
    """Return the folder of a file of retail tasks; None for other suites."""
    path = Path(name)
    is_file = bool(name) and path.is_file()
    return path.parent if is_file and any(case.needs_merchant for case in read_suite_file(path).cases) else None


def _begun(options: dict[str, Any], runner: str = "") -> Run:
    return _resumed(options["resume"], runner) if options["resume"] else _started(options, runner)


def _started(options: dict[str, Any], runner: str) -> Run:
    if not options["suite"]:
        raise CommandError(gettext("Give a suite, or --resume with the id of a run."))
    suite = suite_to_run(options["suite"])
    release = release_numbered(options["release"]) if options["release"] else None
    baseline = _baseline(suite, options["against"])
    return start_run(suite, repeat=options["repeat"], release=release, baseline=baseline, runner=runner)


def _resumed(run_id: str, runner: str) -> Run:
    """Return an interrupted run, or a run whose worker died, ready to continue."""
    try:
        run = run_with_id(UUID(run_id))
    except ValueError as error:
        raise CommandError(gettext("“{text}” is not the id of a run.").format(text=run_id)) from error
    if runner or run.state == Run.State.PAUSED or not run.is_open:
        resume_run(run.pk, runner=runner)
    return run_with_id(run.pk)


def suite_to_run(name: str) -> Suite:
    """Return the suite with this name, stored or shipped; if `name` is a file, store and return its suite."""
    path = Path(name)
    if path.is_file():
        return save_suite(read_suite_file(path))
    stored = Suite.objects.filter(name=name).first()
    if stored is not None:
        return stored
    if name in shipped_suites():
        return save_suite(read_suite_file(SHIPPED / f"{name}.yaml"))
    problem = gettext("There is no file or suite called “{name}”. Shipped with SupportBot: {names}.")
    raise CommandError(problem.format(name=name, names=", ".join(shipped_suites())))


def _baseline(suite: Suite, against: str) -> Run | Baseline | None:
    if not against:
        return Baseline.LIVE
    return None if against == _NOTHING else last_run_on(suite, release_numbered(against))
