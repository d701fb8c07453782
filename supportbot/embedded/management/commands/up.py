"""`manage.py up`: what `make run` calls. Starts everything on this machine and stays until Ctrl-C or SIGTERM."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from supportbot.embedded.checks import disk_full, means_disk_full
from supportbot.embedded.composition import Composition, Ready
from supportbot.embedded.demo import page_urls
from supportbot.installation.errors import EmbeddedError
from supportbot.installation.plan import Plan, plan_from_environment


class Command(BaseCommand):
    help = "Start database, broker, web server, worker, beat and demo shop on this machine, until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--servers-only", action="store_true", help="only PostgreSQL and Valkey, for a restore; nothing is migrated"
        )
        parser.add_argument("--no-demo", action="store_true", help="without the demo workspace and the demo shop")
        parser.add_argument("--json", action="store_true", help="print one JSON line instead of the table once it runs")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = plan_from_environment(with_demo=not options["no_demo"])
        on_ready = self._show_json if options["json"] else self._show_table
        try:
            if options["servers_only"]:
                Composition(plan, tell=self._tell, on_ready=self._show_servers).run_servers()
            else:
                Composition(plan, tell=self._tell, on_ready=on_ready).run()
        except EmbeddedError as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            if not means_disk_full(error):
                raise
            raise CommandError(str(disk_full(plan.data_dir, error.strerror or "no space"))) from error

    def _tell(self, line: str) -> None:
        # Progress goes to stderr: with --json, stdout holds nothing else.
        self.stderr.write(line, self.style.SUCCESS)
        self.stderr.flush()

    def _show_servers(self, ready: Ready) -> None:
        self._tell(f"The servers run, see {ready.plan.data_dir / 'runtime.json'}. Ctrl-C stops them.")

    def _show_table(self, ready: Ready) -> None:
        self.stdout.write(ready_table(ready.plan, ready.demo))
        self.stdout.flush()

    def _show_json(self, ready: Ready) -> None:
        self.stdout.write(json.dumps(ready.demo or {"urls": {"base": ready.plan.base_url}}))
        self.stdout.flush()


def ready_table(plan: Plan, demo: dict[str, Any] | None) -> str:
    """Return the table of addresses, log-ins and next steps."""
    urls = page_urls(plan)
    rows = [("Storefront", urls["storefront"])] if demo else []
    rows += [("Console", urls["console"]), ("Desk", urls["desk"]), ("API docs", urls["docs"])]
    lines = ["", "SupportBot is ready.", ""]
    lines += [f"  {name:<11} {address}" for name, address in rows]
    if demo:
        lines += ["", "  Log-ins", *(_login(user) for user in demo["users"])]
    lines += [
        "",
        "  Stop        Ctrl-C here, or `make stop` in another terminal; the data stays",
        "  A model     OPENAI_API_KEY=... OPENAI_MODEL=... make run   (OPENAI_BASE_URL for any compatible server)",
        f"  Files       {plan.data_dir} (logs in logs/, mail in mail/)",
        "",
    ]
    return "\n".join(lines)


def _login(user: dict[str, Any]) -> str:
    return f"    {user['username']:<14} {user['password'] or '(the password you chose)':<26} {user['role']}"
