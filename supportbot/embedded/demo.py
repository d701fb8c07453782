"""The demo workspace as a start sees it: seeded once, its first passwords never offered to a network."""

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
from psycopg import sql

from actions.registry import all_actions
from supportbot.embedded import external
from supportbot.embedded.children import CommandRunner
from supportbot.embedded.schema import applied_migrations
from supportbot.installation.demo_facts import DemoFacts
from supportbot.installation.errors import StartRefused
from supportbot.installation.plan import Plan
from supportbot.installation.runtime import Secrets, ensure_secrets, load_runtime, read_json, write_private

TO_BE_MADE = ["the users to be made"]


@dataclass(frozen=True)
class Demo:
    plan: Plan
    database_url: str
    secrets: Secrets

    @property
    def _memory(self) -> Path:
        return self.plan.data_dir / "seed.json"

    def seed(self, runner: CommandRunner) -> DemoFacts:
        """Return the demo's facts, seeding what is not there yet. Raises StartRefused."""
        facts: DemoFacts = json.loads(runner.run("demo_seed", "--json"))
        write_private(self._memory, json.dumps({"for": self._fingerprint(), "facts": facts}, indent=2))
        return facts

    def remembered(self) -> DemoFacts | None:
        """Return the facts of an earlier start with the same database and addresses."""
        content = read_json(self._memory)
        if content is None or content.get("for") != self._fingerprint():
            return None
        return self.earlier()

    def earlier(self) -> DemoFacts | None:
        """Return the facts of an earlier start, whatever its addresses were; seeding makes damaged ones whole again."""
        facts: DemoFacts | None = (read_json(self._memory) or {}).get("facts")
        return facts

    def refuse_when_open(self) -> None:
        """Raise StartRefused when HOST would offer first passwords to a network: those that are, or are to be made."""
        earlier = self.earlier()
        refuse_open_demo(self.plan, self.users_with_first_password(earlier) if earlier else TO_BE_MADE)

    def _fingerprint(self) -> str:
        # The channel's allowed origins and the shop's address are rows of the demo: with other ports they change too.
        told = [self.plan.base_url, self.plan.local_url, self.plan.shop_url, self.plan.database_url or "", recipe()]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def users_with_first_password(self, facts: DemoFacts) -> list[str]:
        """Return the demo users who can still log in with the password that was generated for them."""
        table = sql.Identifier(get_user_model()._meta.db_table)
        query = sql.SQL("SELECT username, password FROM {} WHERE username = ANY(%s) AND is_active").format(table)
        names = [user["username"] for user in facts["users"]]
        if not applied_migrations(self.database_url):  # the folder tells of another database than this empty one
            return TO_BE_MADE
        with external.connect(self.database_url) as connection:
            rows = connection.execute(query, (names,)).fetchall()
        stored = {str(name): str(password) for name, password in rows}
        return sorted(name for name in stored if check_password(self.secrets.demo_password(name), stored[name]))


def check_demo(plan: Plan) -> str:
    """Say whether HOST offers the demo to a network with its first passwords, as far as it can be seen now."""
    secrets_file, runtime = plan.data_dir / "secrets.json", load_runtime(plan.data_dir)
    url = plan.database_url or (runtime.database_url if runtime else None)
    if not secrets_file.exists() or not (plan.data_dir / "seed.json").exists():
        refuse_open_demo(plan, TO_BE_MADE)
    if url is None:
        return "its first passwords are looked for once the database runs"
    Demo(plan, url, ensure_secrets(plan.data_dir)).refuse_when_open()
    return "nobody has a first password"


def recipe() -> str:
    """Return a text that changes with what seeding makes: a folder of an older version is then brought up to date."""
    programs = [path.read_text() for path in sorted(Path(apps.get_app_config("demo").path).glob("*.py"))]
    policies = [f"{action.name} {action.version}" for action in all_actions().values()]
    return "\n".join([*programs, *sorted(policies)])


def is_offered() -> bool:
    return "demo_seed" in get_commands()


def refuse_open_demo(plan: Plan, names: list[str]) -> None:
    """Raise StartRefused when HOST would offer these users' first passwords to a network."""
    if names and not plan.is_local:
        raise StartRefused(
            f"HOST={plan.host} would offer the demo log-ins to the network while {', '.join(names)} still have "
            "their first passwords: start once with HOST=127.0.0.1 and change them (`manage.py changepassword NAME`), "
            "or start without the demo (`manage.py up --no-demo`)."
        )


class DemoFile:
    """`demo.json`, with which a script can do what a person does; written again whenever a process id changes."""

    def __init__(self, plan: Plan, facts: DemoFacts, *, open_names: list[str]) -> None:
        self._path = plan.data_dir / "demo.json"
        # A password that its owner has changed is not ours to know.
        users = [
            {**user, "password": user["password"] if user["username"] in open_names else None}
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
        """Write the file with these process ids and return its content."""
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
    """Return the shop's customers by id and name, its ten people with a refundable order first."""
    opener = build_opener(ProxyHandler({}))  # never through a proxy: the shop is on this machine
    try:
        with opener.open(f"{shop_url}/api/customers", timeout=10) as answer:
            customers = json.load(answer)["customers"]
    except (URLError, ValueError, KeyError) as error:
        raise StartRefused(
            f"The demo shop does not list its customers ({error}): see shop.log in DATA_DIR/logs."
        ) from error
    return [{"id": customer["id"], "name": customer["name"]} for customer in customers]
