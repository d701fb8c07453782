"""Former paths of modules that a deployment's settings and commands may still use. They will be removed in 0.3.

Settings (`CHAT_ON_CUSTOMER_MESSAGE`, `OUTBOX_CONSUMERS`, `RELEASES_GATE`) and the command that starts a web process
contain such paths. Nothing in this project imports a former path.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

MOVED: Final = {
    "actions.connectors": "actions.merchant_api",
    "actions.connectors.merchant": "actions.merchant_api.merchant",  # ACTIONS_MERCHANT
    "actions.connectors.order_parsing": "actions.merchant_api.order_parsing",  # imported by connectors of your own
    "actions.connectors.port": "actions.merchant_api.port",  # imported by these connectors, too
    "actions.forgetting": "actions.erasure",
    "actions.policies": "actions.policy_store",
    "actions.schema": "actions.argument_types",  # imported by actions of your own
    "supportbot.accounts.auth": "supportbot.accounts.rest.auth",  # REST_FRAMEWORK, like the next two
    "supportbot.accounts.permissions": "supportbot.accounts.rest.permissions",
    "supportbot.accounts.throttles": "supportbot.accounts.rest.throttles",
    "supportbot.assistant.doubts": "supportbot.assistant.agent_draft_checks",  # HANDOFF_DRAFT_CHECKS
    "supportbot.assistant.receivers": "supportbot.assistant.outbox_consumers",  # OUTBOX_CONSUMERS
    "supportbot.evals.articles.afterwards": "supportbot.evals.articles.publication_report",  # KB_AFTERWARDS
    "supportbot.evals.articles.trials": "supportbot.evals.articles.article_gates",  # KB_GATES
    "supportbot.evals.gates": "supportbot.evals.release_gates",  # RELEASES_GATE
    "supportbot.evals.product_mark": "supportbot.evals.build_fingerprint",  # RELEASES_REFERENCES
    "supportbot.evals.receivers": "supportbot.evals.outbox_consumers",  # OUTBOX_CONSUMERS
    "supportbot.evals.rules": "supportbot.evals.action_rule_gates",  # ACTIONS_GATES
    "supportbot.handoff.frontdesk": "supportbot.handoff.tickets.customer_messages",
    "supportbot.httpserver": "uvicorn.protocols.http.httptools_impl",
    "supportbot.insights.rollups": "supportbot.insights.stored_daily_sums",  # BEFORE_RETENTION
    "supportbot.llm.embedding_routes": "supportbot.llm.embeddings.routes",  # KB_ROUTED_EMBEDDER
    "supportbot.llm.gateway_embedder": "supportbot.llm.embeddings.gateway_embedder",  # KB_EMBEDDER
    "supportbot.pages": "supportbot.home_and_error_pages",  # MIDDLEWARE, CSRF_FAILURE_VIEW
    "supportbot.web": "supportbot.rest_json",  # MIDDLEWARE, REST_FRAMEWORK
    "supportbot.webhooks.receivers": "supportbot.webhooks.outbox_consumers",  # OUTBOX_CONSUMERS
}
# Attributes that have not moved with the rest of their module.
ELSEWHERE: Final = {
    "actions.policies": dict.fromkeys(
        ("may_approve", "approvers_of", "allow_approval", "forbid_approval", "forbid_every_approval"),
        "actions.approvers",
    ),
    "supportbot.web": {
        "ContentSecurityPolicy": "supportbot.content_security_policy",
        "NewestFirst": "supportbot.pagination",
        "NewestFirstPagination": "supportbot.pagination",
        "PageLocaleMiddleware": "supportbot.accounts.page_language",
        "SpokenLanguage": "supportbot.accounts.page_language",
    },
}
RENAMED: Final = {  # attributes, by the former path
    "supportbot.httpserver": {"Plainspoken": "HttpToolsProtocol"},
    "supportbot.web": {
        "AnyAnswer": "JSONOnlyNegotiation",
        "NewestFirst": "NewestFirstPagination",
        "ShallowJson": "BoundedJSONParser",
        "SpokenLanguage": "PageLocaleMiddleware",
    },
}


class FormerPaths(MetaPathFinder, Loader):
    """Imports a former path as a module that looks up each attribute in the module's current location."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in MOVED:
            return None
        is_package = any(former.startswith(f"{fullname}.") for former in MOVED)
        return ModuleSpec(fullname, self, is_package=is_package)

    def exec_module(self, module: ModuleType) -> None:
        former = module.__name__

        def current(name: str) -> object:
            path = ELSEWHERE.get(former, {}).get(name, MOVED[former])
            return getattr(import_module(path), RENAMED.get(former, {}).get(name, name))

        module.__getattr__ = current  # type: ignore[method-assign]  # PEP 562: how a module looks up what it lacks


def install() -> None:
    """Make former paths importable. `supportbot/__init__.py`, which every process imports first, calls this."""
    if not any(isinstance(finder, FormerPaths) for finder in sys.meta_path):
        sys.meta_path.append(FormerPaths())
