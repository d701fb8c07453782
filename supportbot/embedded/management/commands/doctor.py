"""`manage.py doctor`: check whether this machine can run SupportBot, and say how to fix what it finds."""

import json
from dataclasses import asdict
from http.client import HTTPException
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.commands import TranslatedCommand
from supportbot.embedded.checks import (
    Finding,
    check_field_keys,
    check_index,
    check_mail,
    check_model_answers,
    check_ports_free,
    check_proxies,
    machine_checks,
    run_checks,
)
from supportbot.embedded.data_dir import DataDir
from supportbot.embedded.demo import check_demo
from supportbot.embedded.open_files import check_open_files
from supportbot.embedded.process_registry import ProcessRegistry
from supportbot.installation.start_plan import Plan, plan_from_environment
from supportbot.team_formats import labelled

PROBE_SECONDS: Final = 3.0
# The checks in `machine_checks` and this command. Programs read these names in JSON, so they never change. `LABELS` has
# those that people read under another name.
NAMES: Final = (
    gettext_noop("settings"),
    gettext_noop("ports"),
    gettext_noop("ports free"),
    gettext_noop("proxies"),
    gettext_noop("data directory"),
    gettext_noop("disk"),
    gettext_noop("embedder"),
    gettext_noop("database"),
    gettext_noop("schema"),
    gettext_noop("roles"),
    gettext_noop("broker"),
    gettext_noop("model"),
    gettext_noop("mail"),
    gettext_noop("field keys"),
    gettext_noop("index"),
    gettext_noop("open files"),
    gettext_noop("demo"),
)
LABELS: Final = {"redis": gettext_noop("Valkey or Redis")}


class Command(TranslatedCommand):
    help = gettext_noop("Check ports, disk, data directory, packages, processor, database, broker, model and index.")
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help=gettext("print the findings as JSON"))
        parser.add_argument(
            "--no-demo",
            action="store_true",
            help=gettext("check only what is needed to start without the demo workspace and the demo shop"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = plan_from_environment(with_demo=not options["no_demo"])
        checks = machine_checks(plan)
        if not runs_here(plan):
            checks["ports free"] = check_ports_free
            if plan.with_demo and not plan.is_local:
                checks["demo"] = check_demo
        if "model" in checks:
            checks["model"] = check_model_answers
        checks["proxies"] = check_proxies
        checks["field keys"] = check_field_keys
        if settings.EMAIL_URL:
            checks["mail"] = check_mail
        checks["index"] = check_index
        checks["open files"] = check_open_files
        findings = run_checks(plan, checks)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings]))
        else:
            for finding in findings:
                verdict = gettext("ok") if finding.is_well else gettext("FAILED")
                self.stdout.write(f"{verdict:<6} {labelled(_label(finding), finding.message)}")
        failed = [_label(finding) for finding in findings if not finding.is_well]
        if failed:
            raise CommandError(gettext("Failed checks: {names}.").format(names=", ".join(failed)))


def _label(finding: Finding) -> str:
    return gettext(LABELS.get(finding.name, finding.name))


def runs_here(plan: Plan) -> bool:
    if "supervisor" in ProcessRegistry(DataDir(plan.data_dir).processes_file).running():
        return True
    return bool(plan.database_url and plan.redis_url) and _serves(plan)


def _serves(plan: Plan) -> bool:
    """Return whether a web process is using the port, as `manage.py serve` does under a process manager."""
    try:
        with build_opener(ProxyHandler({})).open(f"{plan.local_url}/livez", timeout=PROBE_SECONDS) as answer:
            return bool(answer.read(10).strip() == b"ok")
    except (OSError, HTTPException):
        return False
