"""`manage.py up`, which `make run` calls: starts everything on this machine and runs until Ctrl-C or SIGTERM."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from supportbot.embedded.checks import disk_full, means_disk_full
from supportbot.embedded.composition import Composition, Ready
from supportbot.embedded.demo import page_urls
from supportbot.installation.errors import InstallationError
from supportbot.installation.plan import Plan, plan_from_environment


class Command(BaseCommand):
    help = "Start database, broker, web server, worker, beat and demo shop on this machine. Ctrl-C stops them."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--servers-only",
            action="store_true",
            help="start only PostgreSQL and Valkey, for a restore; run no migrations",
        )
        parser.add_argument("--no-demo", action="store_true", help="start without the demo workspace and the demo shop")
        parser.add_argument(
            "--json", action="store_true", help="once ready, print one line of JSON instead of the table"
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
        # Progress goes to stderr, so that stdout holds only JSON with --json.
        self.stderr.write(line, self.style.SUCCESS)
        self.stderr.flush()

    def _print_servers(self, ready: Ready) -> None:
        self._report(
            f"PostgreSQL and Valkey are running; see {ready.plan.data_dir / 'runtime.json'}. Ctrl-C stops them."
        )

    def _print_table(self, ready: Ready) -> None:
        self.stdout.write(ready_table(ready.plan, ready.demo))
        self.stdout.flush()

    def _print_json(self, ready: Ready) -> None:
        self.stdout.write(json.dumps(ready.demo or {"urls": {"base": ready.plan.base_url}}))
        self.stdout.flush()


def ready_table(plan: Plan, demo: dict[str, Any] | None) -> str:
    """Return the addresses, log-ins and next steps for the terminal."""
    urls = page_urls(plan)
    rows = [("Storefront", urls["storefront"])] if demo else []
    rows += [("Console", urls["console"]), ("Desk", urls["desk"]), ("API docs", urls["docs"])]
    lines = ["", "SupportBot is ready.", ""]
    lines += [f"  {name:<11} {address}" for name, address in rows]
    if demo:
        lines += ["", "  Log-ins", *(_login_line(user) for user in demo["users"])]
    lines += [
        "",
        "  Stop        Ctrl-C here, or `make stop` in another terminal; your data is kept",
        "  Use a model OPENAI_API_KEY=... OPENAI_MODEL=... make run   (OPENAI_BASE_URL for any compatible server)",
        f"  Files       {plan.data_dir} (logs in logs/, mail in mail/)",
        "",
    ]
    return "\n".join(lines)


def _login_line(user: dict[str, Any]) -> str:
    return f"    {user['username']:<14} {user['password'] or '(changed)':<26} {user['role']}"
