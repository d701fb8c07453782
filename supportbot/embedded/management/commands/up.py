"""`manage.py up`, which `make run` calls: start everything on this machine and run until Ctrl-C or SIGTERM."""

import json
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.commands import TranslatedCommand
from supportbot.embedded.checks import disk_full, means_disk_full
from supportbot.embedded.demo import page_urls
from supportbot.embedded.startup import Composition, Ready
from supportbot.installation.errors import InstallationError
from supportbot.installation.start_plan import plan_from_environment

PAGES: Final = ("base", "console", "desk", "docs")  # the pages listed without the demo


class Command(TranslatedCommand):
    help = gettext_noop(
        "Start the database, broker, web server, worker, beat and demo shop on this machine. Press Ctrl-C to stop them."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--servers-only",
            action="store_true",
            help=gettext("start only PostgreSQL and Valkey, for a restore; run no migrations"),
        )
        parser.add_argument(
            "--no-demo", action="store_true", help=gettext("start without the demo workspace and the demo shop")
        )
        parser.add_argument(
            "--json", action="store_true", help=gettext("once ready, print one line of JSON instead of the table")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = plan_from_environment(with_demo=not options["no_demo"])
        on_ready = self._print_json if options["json"] else self._print_table
        try:
            if options["servers_only"]:
                Composition(plan, report=self._report, on_ready=self._print_servers).run_servers()
            else:
                Composition(plan, report=self._report, on_ready=on_ready).run()
        except InstallationError as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            if not means_disk_full(error):
                raise
            raise CommandError(str(disk_full(plan.data_dir, error.strerror or "no space"))) from error

    def _report(self, line: str) -> None:
        # Progress goes to stderr, so stdout contains only JSON with --json.
        self.stderr.write(line, self.style.SUCCESS)
        self.stderr.flush()

    def _print_servers(self, ready: Ready) -> None:
        self._report(
            gettext("PostgreSQL and Valkey are running; see {file}. Ctrl-C stops them.").format(
                file=ready.plan.data_dir / "runtime.json"
            )
        )

    def _print_table(self, ready: Ready) -> None:
        self.stdout.write(ready_table(ready))
        self.stdout.flush()

    def _print_json(self, ready: Ready) -> None:
        self.stdout.write(json.dumps(ready.demo or _facts(ready)))
        self.stdout.flush()


def _facts(ready: Ready) -> dict[str, Any]:
    urls = {name: url for name, url in page_urls(ready.plan).items() if name in PAGES}
    return {"urls": urls, **({"setup": ready.setup_link} if ready.setup_link else {})}


def ready_table(ready: Ready) -> str:
    """Return the addresses, logins and next steps for the terminal."""
    plan, demo = ready.plan, ready.demo
    urls = page_urls(plan)
    rows = [(gettext("Storefront"), urls["storefront"])] if demo else []
    rows += [
        (gettext("Console"), urls["console"]),
        (gettext("Desk"), urls["desk"]),
        (gettext("API docs"), urls["docs"]),
    ]
    lines = ["", gettext("SupportBot is ready."), ""]
    lines += _table(rows)
    if demo:
        logins = gettext("Logins")
        lines += ["", f"  {logins}", *(_login_line(user) for user in demo["users"])]
    if ready.setup_link:
        first = gettext("There are no accounts yet. Open this link to create the first administrator:")
        lines += ["", f"  {first}", f"    {ready.setup_link}"]
    stop = gettext("Ctrl-C here, or `make stop` in another terminal; your data is kept")
    model = "OPENAI_API_KEY=... OPENAI_MODEL=... make run"
    any_server = gettext("(OPENAI_BASE_URL for any compatible server)")
    files = gettext("(logs in logs/, mail in mail/)")
    steps = [
        (gettext("Stop"), stop),
        (gettext("Use a model"), f"{model}   {any_server}"),
        (gettext("Files"), f"{plan.data_dir} {files}"),
    ]
    return "\n".join([*lines, "", *_table(steps), ""])


def _table(rows: list[tuple[str, str]]) -> list[str]:
    width = max(11, *(len(name) for name, _ in rows))
    return [f"  {name:<{width}} {value}" for name, value in rows]


def _login_line(user: dict[str, Any]) -> str:
    return f"    {user['username']:<14} {user['password'] or gettext('(changed)'):<26} {user['role']}"
