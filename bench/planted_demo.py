"""The demo workspace of `bench.planted`, and its gates' verdict on a change. Import it after Django is set up."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from actions.merchant_connection import connect_merchant
from actions.policy_store import ensure_policies, policy_of, rules_of
from bench.planted_changes import Archived, Change, Changed, Draft, Facts, New, Words
from kb.importing.importer import import_documents
from kb.importing.loaders import load
from kb.importing.parsed_document import Document
from kb.indexing.embedding import ReadOnlyVectors
from kb.indexing.sync import sync_articles
from kb.indexing.vector_file import VectorFile
from kb.models import Article
from kb.ports import embedder
from kb.services import Change as Edit
from supportbot.accounts.principals import Staff
from supportbot.accounts.workspaces import create_workspace
from supportbot.errors import SupportBotError
from supportbot.evals.action_rule_gates import judged
from supportbot.evals.articles.article_gates import Trial, archiving, changing, publishing, tried
from supportbot.evals.runs.case_outcomes import CaseTry
from supportbot.evals.runs.case_runner import run_case
from supportbot.evals.runs.run_worker import execute_run
from supportbot.evals.selectors import document_of
from supportbot.evals.services import save_suite, start_run
from supportbot.evals.suite_formats.files import SHIPPED, read_suite_file
from supportbot.evals.suite_formats.own_format import Case
from supportbot.llm import connections, gateway
from supportbot.llm.budget import evaluating
from supportbot.llm.release_routes import BUILTIN
from supportbot.releases import evaluation, services
from supportbot.releases.document import stored
from supportbot.releases.models import Release
from supportbot.releases.selectors import forget, live_release, using

REASON: Final = "planted"


class Demo:
    def __init__(self, knowledge: Path, suites: Sequence[str], *, shop: str, secret: str) -> None:
        self.workspace = create_workspace("Wrenfell Outdoor", slug="wrenfell", locale="en", currency="EUR")
        self.person = Staff(self.workspace.pk, None, "bench", "editor", frozenset({"releases:write"}))
        self._knowledge, self._suites, self._shop, self._secret = knowledge, suites, shop, secret
        self._models: dict[str, str] = {}
        self.live: dict[str, Any] = {}  # the reports of the live release by suite

    def set_up(self, *, model: str, liar: str) -> None:
        """Import articles and suites, and connect the shop and the models."""
        settings.OUTBOUND_OWN_ADDRESSES = [self._shop.removeprefix("http://"), model.split("/")[2], "127.0.0.1:9"]
        documents = [one for one in load([str(self._knowledge)]) if isinstance(one, Document)]
        import_documents(documents)
        vectors = VectorFile(self._knowledge / "vectors.e5", embedder().recipe)
        sync_articles(list(Article.objects.values_list("pk", flat=True)), known=ReadOnlyVectors(vectors))
        ensure_policies()
        connect_merchant(f"{self._shop}/merchant/v1", self._secret, actor="bench")
        self.suites = [save_suite(read_suite_file(SHIPPED / f"{name}.yaml")) for name in self._suites]
        for name, url in (("liar", model), ("away", "http://127.0.0.1:9/v1")):
            row = connections.save({"name": name, "base_url": url, "model": liar}, key="bench", actor="bench")
            self._models[name] = str(row.pk)

    def played_without_a_model(self) -> list[CaseTry]:
        live = live_release()
        live.document = stored(replace(live.contents, routes={"answer": (BUILTIN,)}))
        with using(live), evaluating():
            return asyncio.run(self._run_all([case for suite in self.suites for case in document_of(suite).cases]))

    async def _run_all(self, cases: Sequence[Case]) -> list[CaseTry]:
        try:
            return [(await run_case(self.workspace, case))[0] for case in cases]
        finally:
            await gateway.close()

    def go_live(self) -> None:
        """Publish the strict release that everything is compared with, run the suites on it and make them gates."""
        self._publish(self._draft({"strictness": "strict"}))
        for suite in self.suites:
            run = start_run(suite)
            execute_run(run.pk)
            run.refresh_from_db()
            self.live[suite.name] = run.report or {"state": run.state, "problem": run.problem}
        services.name_gates(self._suites, person=self.person)

    def refusal(self, change: Change) -> list[str]:
        """Return why a change does not pass the gates, or [] if it passes. The change is undone."""
        match change:
            case Draft(_, document):
                return self._of_release(document)
            case Changed(action, rules):
                now = rules_of(policy_of(action))
                found = judged(replace(now, **rules), action, workspace=self.workspace)
                return [one.name for one in found.failures]
            case _:
                found = tried(_trial(change), workspace=self.workspace)
                untried = [f"{found.untried} not tried"] * bool(found.failures and found.untried)
                return [one.name for one in found.failures] + untried

    def _of_release(self, document: Any) -> list[str]:
        draft = self._draft(document)
        try:
            evaluation.evaluate(draft.pk)
            with transaction.atomic():
                self._publish(draft)
                transaction.set_rollback(True)
        except SupportBotError as refusal:
            verdict = Release.objects.get(pk=draft.pk).verdict or {}
            return [refusal.code, *verdict.get("failed_must", ()), *verdict.get("regressions", ())]
        finally:
            forget(self.workspace.pk)
            services.discard(draft.pk)
        return []

    def _draft(self, document: Any) -> Release:
        routes = {
            purpose: [self._models[one] for one in names] for purpose, names in document.get("routes", {}).items()
        }
        return services.create_draft(
            person=self.person, document={**document, **({"routes": routes} if routes else {})}
        )

    def _publish(self, draft: Release) -> None:
        services.publish(draft.pk, person=self.person, instead_of=live_release().number, reason=REASON)


def _trial(change: Change) -> Trial:
    if isinstance(change, New):
        return publishing(None, Edit(title=change.title, body=change.body))
    article = Article.objects.get(external_id=change.article)  # type: ignore[union-attr]  # Draft and Changed are none
    live = article.live_revision
    assert live is not None
    match change:
        case Words(_, old, new):
            assert old in live.body, change
            body = live.body.replace(old, new) if old else new
            return publishing(article, Edit(title=live.title, body=body))
        case Facts(_, changes):
            return changing(article, Edit(**changes))
        case Archived():
            return archiving(article)
    raise AssertionError(change)
