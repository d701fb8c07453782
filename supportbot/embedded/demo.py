"""The demo workspace at start-up: it is seeded once, and its initial passwords are never exposed to a network.

The demo itself is `supportbot.demo`. This package knows only its command, `demo_seed`.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password
from django.core.management import get_commands
from django.utils.translation import gettext
from psycopg import sql

from actions.registry import all_actions
from supportbot.embedded.applied_migrations import applied_migrations
from supportbot.embedded.product_processes import CommandRunner
from supportbot.embedded.servers import external_servers
from supportbot.installation.demo_facts import DemoFacts
from supportbot.installation.errors import StartRefused
from supportbot.installation.instance_secrets import Secrets, ensure_secrets
from supportbot.installation.private_files import read_json, write_private
from supportbot.installation.running_instance import load_runtime
from supportbot.installation.start_plan import Plan


@dataclass(frozen=True)
class Demo:
    plan: Plan
    database_url: str
    secrets: Secrets

    @property
    def _facts_file(self) -> Path:
        return self.plan.data_dir / "seed.json"

    def seed(self, runner: CommandRunner) -> DemoFacts:
        """Seed what is missing, and return the demo's facts. Raises StartRefused."""
        facts: DemoFacts = json.loads(runner.run("demo_seed", "--json"))
        write_private(self._facts_file, json.dumps({"for": self._fingerprint(), "facts": facts}, indent=2))
        return facts

    def saved_facts(self) -> DemoFacts | None:
        """Return the facts of the last start, or None if it had a different database, address or seeding code."""
        content = read_json(self._facts_file)
        if content is None or content.get("for") != self._fingerprint():
            return None
        return self.last_facts()

    def last_facts(self) -> DemoFacts | None:
        """Return the facts of the last start, even if its addresses were different; None if there was no start."""
        facts: DemoFacts | None = (read_json(self._facts_file) or {}).get("facts")
        return facts

    def refuse_if_exposed(self) -> None:
        """Raise StartRefused if HOST would expose the initial passwords of existing or new users to a network."""
        last_facts = self.last_facts()
        refuse_exposed_passwords(
            self.plan, self.users_with_first_password(last_facts) if last_facts else _not_created_yet()
        )

    def _fingerprint(self) -> str:
        # The channel's allowed origins and the shop's address are rows of the demo and change with the ports.
        parts = [
            self.plan.base_url,
            self.plan.local_url,
            self.plan.shop_url,
            self.plan.database_url or "",
            seed_version(),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def users_with_first_password(self, facts: DemoFacts) -> list[str]:
        """Return the demo users who can still log in with their generated password."""
        table = sql.Identifier(get_user_model()._meta.db_table)
        query = sql.SQL("SELECT username, password FROM {} WHERE username = ANY(%s) AND is_active").format(table)
        names = [user["username"] for user in facts["users"]]
        if not applied_migrations(self.database_url):  # seed.json belongs to a different database
            return _not_created_yet()
        with external_servers.connect(self.database_url) as connection:
            rows = connection.execute(query, (names,)).fetchall()
        stored = {str(name): str(password) for name, password in rows}
        return sorted(name for name in stored if check_password(self.secrets.demo_password(name), stored[name]))


def _not_created_yet() -> list[str]:
    return [gettext("the demo users (not created yet)")]


def check_demo(plan: Plan) -> str:
    """Return text about the initial passwords still in use. Raises StartRefused if HOST exposes them to a network."""
    secrets_file, runtime = plan.data_dir / "secrets.json", load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if not secrets_file.exists() or not (plan.data_dir / "seed.json").exists():
        refuse_exposed_passwords(plan, _not_created_yet())
    if url is None:
        return gettext("its initial passwords are checked once the database is running")
    Demo(plan, url, ensure_secrets(plan.data_dir)).refuse_if_exposed()
    return gettext("no initial passwords left")


def seed_version() -> str:
    """Return a string that changes with the seeding code and the actions, so that an upgrade seeds again."""
    folder = Path(apps.get_app_config("demo").path)
    programs = [
        path.read_text(encoding="utf-8") for path in sorted([*folder.glob("*.py"), *folder.glob("data/*.json")])
    ]
    policies = [f"{action.name} {action.version}" for action in all_actions().values()]
    return "\n".join([*programs, *sorted(policies)])


def is_installed() -> bool:
    return "demo_seed" in get_commands()


def refuse_exposed_passwords(plan: Plan, names: list[str]) -> None:
    """Raise StartRefused if HOST would expose these users' initial passwords to a network."""
    if names and not plan.is_local:
        raise StartRefused(
            gettext(
                "HOST={host} would expose the demo logins to the network, and these still have their initial "
                "passwords: {names}. Start once with HOST=127.0.0.1 and change them (`manage.py changepassword "
                "NAME`), or start without the demo (`manage.py up --no-demo`)."
            ).format(host=plan.host, names=", ".join(names))
        )


class DemoFile:
    """`demo.json`: what scripts need to act like a person. It is rewritten whenever a process id changes."""

    def __init__(self, plan: Plan, facts: DemoFacts, *, first_password_names: list[str]) -> None:
        self._path = plan.data_dir / "demo.json"
        # A password that a user has changed is private.
        users = [
            {**user, "password": user["password"] if user["username"] in first_password_names else None}
            for user in facts["users"]
        ]
        self._content = {
            "urls": page_urls(plan),
            "workspace": facts["workspace"],
            "channel": facts["channel"],
            "api_key": facts["api_key"],
            "users": users,
            "customers": shop_customers(plan.shop_url),
        }

    def write(self, pids: dict[str, int]) -> dict[str, Any]:
        """Write the file with these process ids, and return its content."""
        content = {**self._content, "pids": pids}
        write_private(self._path, json.dumps(content, indent=2))
        return content


def page_urls(plan: Plan) -> dict[str, str]:
    base = plan.base_url
    return {
        "base": base,
        "storefront": f"{plan.shop_url}/",
        "console": f"{base}/admin/",
        "desk": f"{base}/desk/",
        "docs": f"{base}/api/v1/docs/",
        "shop": plan.shop_url,
    }


def shop_customers(shop_url: str) -> list[dict[str, str]]:
    """Return the ids and names of the shop's customers. The ten who have a refundable order come first."""
    opener = build_opener(ProxyHandler({}))  # never through a proxy: the shop is on this machine
    try:
        with opener.open(f"{shop_url}/api/customers", timeout=10) as answer:
            customers = json.load(answer)["customers"]
    except (URLError, ValueError, KeyError) as error:
        raise StartRefused(
            gettext("The demo shop did not return its customers ({error}). See shop.log in DATA_DIR/logs.").format(
                error=error
            )
        ) from error
    return [{"id": customer["id"], "name": customer["name"]} for customer in customers]
