"""`manage.py demo_seed`: create the demo workspace, or bring it up to date."""

from typing import Any, cast

from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import ProductCommand
from supportbot.demo.workspace import seed
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.start_plan import plan_from_environment


class Command(ProductCommand):
    help = gettext_noop("Create the demo workspace or bring it up to date. Changes made by people are kept.")

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = plan_from_environment()
        return cast(dict[str, Any], seed(plan, ensure_secrets(plan.data_dir)))

    def words(self, facts: dict[str, Any]) -> str:
        people = [f"  {user['username']:<8} {user['password']}  {user['role']}" for user in facts["users"]]
        head = gettext("Workspace {workspace}, channel {channel}").format(
            workspace=facts["workspace"], channel=facts["channel"]
        )
        return "\n".join([head, *people])
