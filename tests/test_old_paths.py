"""Paths that a deployment's settings, commands and service files may still name, until 0.3."""

import subprocess
import sys
from importlib import import_module

import pytest
from django.utils.module_loading import import_string
from uvicorn.importer import import_from_string
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from supportbot.former_paths import MOVED
from supportbot.settings import BASE_DIR
from tests.patience import PATIENCE_SECONDS

NAMED = [
    ("actions.connectors.merchant.connected_merchant", "actions.merchant_api.merchant.connected_merchant"),
    ("actions.connectors.order_parsing.parse_order", "actions.merchant_api.order_parsing.parse_order"),
    ("actions.connectors.port.Merchant", "actions.merchant_api.port.Merchant"),
    ("actions.forgetting.on_conversation_erased", "actions.erasure.on_conversation_erased"),
    ("actions.forgetting.on_customer_forgotten", "actions.erasure.on_customer_forgotten"),
    ("actions.policies.allow_approval", "actions.approvers.allow_approval"),
    ("actions.policies.approvers_of", "actions.approvers.approvers_of"),
    ("actions.policies.forbid_approval", "actions.approvers.forbid_approval"),
    ("actions.policies.forbid_every_approval", "actions.approvers.forbid_every_approval"),
    ("actions.policies.may_approve", "actions.approvers.may_approve"),
    ("actions.policies.versions_in_force", "actions.policy_store.versions_in_force"),
    ("actions.schema.OrderId", "actions.argument_types.OrderId"),
    (
        "supportbot.assistant.receivers.on_action_changed",
        "supportbot.assistant.outbox_consumers.on_action_changed",
    ),
    ("supportbot.accounts.auth.BearerAuthentication", "supportbot.accounts.rest.auth.BearerAuthentication"),
    ("supportbot.accounts.auth.CallerThrottle", "supportbot.accounts.rest.throttles.CallerThrottle"),
    ("supportbot.accounts.permissions.DenyUnlessNamed", "supportbot.accounts.rest.permissions.DenyUnlessNamed"),
    ("supportbot.accounts.throttles.CallerThrottle", "supportbot.accounts.rest.throttles.CallerThrottle"),
    ("supportbot.assistant.doubts.doubts_of", "supportbot.assistant.agent_draft_checks.doubts_of"),
    ("supportbot.evals.articles.afterwards.told_of", "supportbot.evals.articles.publication_report.publication_report"),
    ("supportbot.evals.gates.judge", "supportbot.evals.release_gates.judge"),
    ("supportbot.evals.receivers.on_article_changed", "supportbot.evals.outbox_consumers.on_article_changed"),
    ("supportbot.evals.rules.refusals", "supportbot.evals.action_rule_gates.refusals"),
    (
        "supportbot.evals.services.take_customer_out_of_cases",
        "supportbot.evals.erasure.take_customer_out_of_cases",
    ),
    (
        "supportbot.handoff.frontdesk.on_customer_message",
        "supportbot.handoff.tickets.customer_messages.on_customer_message",
    ),
    ("supportbot.handoff.mail.on_agent_replied", "supportbot.handoff.mail.delivery.on_agent_replied"),
    ("supportbot.insights.rollups.roll_up_workspace", "supportbot.insights.stored_daily_sums.roll_up_workspace"),
    ("supportbot.llm.embedding_routes.embedder_of_route", "supportbot.llm.embeddings.routes.embedder_of_route"),
    ("supportbot.llm.gateway_embedder.GatewayEmbedder", "supportbot.llm.embeddings.gateway_embedder.GatewayEmbedder"),
    ("supportbot.llm.connections.route_marks", "supportbot.llm.release_routes.route_marks"),
    ("supportbot.llm.connections.route_problems", "supportbot.llm.release_routes.route_problems"),
    ("supportbot.pages.csrf_failure", "supportbot.home_and_error_pages.csrf_failure"),
    ("supportbot.web.AnyAnswer", "supportbot.rest_json.JSONOnlyNegotiation"),
    ("supportbot.web.BoundedJSONParser", "supportbot.rest_json.BoundedJSONParser"),
    ("supportbot.web.ContentSecurityPolicy", "supportbot.content_security_policy.ContentSecurityPolicy"),
    ("supportbot.web.JSONOnlyNegotiation", "supportbot.rest_json.JSONOnlyNegotiation"),
    ("supportbot.web.NewestFirst", "supportbot.pagination.NewestFirstPagination"),
    ("supportbot.web.NewestFirstPagination", "supportbot.pagination.NewestFirstPagination"),
    ("supportbot.web.PageLocaleMiddleware", "supportbot.accounts.page_language.PageLocaleMiddleware"),
    ("supportbot.web.SpokenLanguage", "supportbot.accounts.page_language.PageLocaleMiddleware"),
    ("supportbot.web.ShallowJson", "supportbot.rest_json.BoundedJSONParser"),
    (
        "supportbot.webhooks.receivers.on_conversation_erased",
        "supportbot.webhooks.outbox_consumers.on_conversations_erased",
    ),
    ("supportbot.webhooks.receivers.on_ticket_changed", "supportbot.webhooks.outbox_consumers.on_ticket_changed"),
]


@pytest.mark.parametrize(("former", "current"), NAMED)
def test_a_former_path_in_settings_leads_to_the_same_object(former: str, current: str) -> None:
    assert import_string(former) is import_string(current)


def test_a_service_file_may_still_name_the_former_http_protocol() -> None:
    assert import_from_string("supportbot.httpserver:Plainspoken") is HttpToolsProtocol


@pytest.mark.parametrize("former", MOVED)
def test_no_file_has_a_former_path_and_the_new_module_exists(former: str) -> None:
    assert not (BASE_DIR / former.replace(".", "/")).with_suffix(".py").exists()
    assert import_module(former).__name__ == former
    assert import_module(MOVED[former])


def test_a_missing_attribute_of_a_former_path_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        import_string("actions.policies.nothing_here")


@pytest.mark.long
@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("from supportbot.httpserver import Plainspoken; print(Plainspoken.__name__)", "HttpToolsProtocol\n"),
        ("import supportbot; import actions.connectors.errata", ""),
        ("import supportbot; from actions.connectors import port; print(port.__name__)", "actions.connectors.port\n"),
    ],
)
def test_a_process_that_begins_with_a_former_path_finds_it(program: str, printed: str) -> None:
    command = [sys.executable, "-c", program]
    answer = subprocess.run(
        command, cwd=BASE_DIR, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (answer.returncode == 0, answer.stdout) == (bool(printed), printed)
    assert printed or "No module named 'actions.connectors.errata'" in answer.stderr
