"""The shipped suite `demo` by its command, with the packaged embedding model: it passes with the demo's articles, and
fails when one of them says "14 days" for "60 days".
"""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from kb.models import Article
from supportbot.accounts.models import Workspace
from tests.console.test_article_gates_demo import demo
from tests.evals.shop_suite import change

__all__ = ["demo"]  # a fixture
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]


def evaluated() -> tuple[int, dict[str, Any]]:
    """Run the suite; return the command's exit code and what it printed."""
    out, code = StringIO(), 0
    try:
        call_command("eval_run", "demo", "--json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def test_the_suite_fails_when_one_article_says_14_days_for_60(demo: Workspace) -> None:
    code, told = evaluated()
    # A model is needed for one question, which does not have to pass.
    assert (code, told["cases"], told["failed_must"], told["failed"]) == (0, 102, [], ["you-took-the-money-twice"])
    print(f"{told['cases']} cases in {told['took_seconds']} s")  # noqa: T201
    article = Article.objects.get(external_id="returns-and-refunds")
    assert article.live_revision is not None and "60 days" in article.live_revision.body
    change(article, "60 days", "14 days")
    code, told = evaluated()
    assert code == 1 and told["failed_must"] == told["regressions"] and told["failed_must"]
    assert {"figures: missing “60 days”"} <= {reason for reasons in told["failures"].values() for reason in reasons}
