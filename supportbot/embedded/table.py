"""What the terminal shows once everything runs."""

from typing import Any

from supportbot.embedded.demo import page_urls
from supportbot.installation.plan import Plan


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
