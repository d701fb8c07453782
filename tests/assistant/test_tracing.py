"""OpenTelemetry: the spans of a turn, their export to a collector, and the error if the extra is not installed."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.conf import settings
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from actions.services import confirm
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.llm import gateway
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.testing import Says
from supportbot.observing import tracing
from supportbot.observing.logs import about
from tests.actions.conftest import signed_in_as
from tests.assistant.conftest import payloads
from tests.assistant.test_actions import REFUND, Log, turn
from tests.patience import PATIENCE_SECONDS

OPERATIONS = {item.value for item in gen_ai_attributes.GenAiOperationNameValues}
NAMES = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
ASKED = "Please refund A-1001, my kettle arrived with a dent"
STARTED = """
import django
django.setup()
from supportbot.observing import span_descriptions, tracing
tracing.start("web")
with tracing.span(span_descriptions.tool("refund_order")):
    pass
"""


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)  # it can officially be set only once in a process
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


@pytest.mark.django_db(transaction=True)
async def test_spans_of_a_turn_and_its_action_follow_the_conventions_and_contain_no_text(
    alice: Customer, conversation: Conversation, shop: FakeShop, log: Log, spans: InMemorySpanExporter
) -> None:
    away = Says(fails=ProviderRefused(Reason.RATE_LIMITED))
    await turn(conversation, ASKED, away, Says("I have found the kettle.", calls=(REFUND,)))
    await gateway.close()  # the records of calls are written in the background
    recorded = {span.name: span for span in spans.get_finished_spans()}
    root = recorded["invoke_agent supportbot"]
    calls = [span for span in spans.get_finished_spans() if span.name == "chat scripted-1"]
    children = [*calls, *(recorded[name] for name in ("retrieval knowledge", "execute_tool refund_order", "store"))]
    assert {span.parent.span_id for span in children if span.parent} == {root.context.span_id}
    assert [span.attributes and span.attributes.get("error.type") for span in calls] == ["rate_limited", None]
    assert [span.status.is_ok for span in calls] == [False, True]
    assert calls[1].attributes is not None and calls[1].attributes["gen_ai.usage.input_tokens"] == 10
    assert root.attributes is not None and root.attributes["gen_ai.conversation.id"] == str(conversation.pk)

    [card] = payloads(await db(log), "action.proposed")
    spans.clear()

    def confirm_and_run() -> None:
        with workspace_scope(conversation.workspace_id):
            confirm(card["request"], principal=signed_in_as(alice), digest=card["digest"])
            run_queued()

    await db(confirm_and_run)
    [carried_out] = spans.get_finished_spans()
    assert carried_out.attributes is not None and carried_out.attributes["supportbot.outcome"] == "Happened"
    assert carried_out.attributes["supportbot.request"] == card["request"]
    for span in (*recorded.values(), carried_out):
        _check(span)


def _check(span: ReadableSpan) -> None:
    said = dict(span.attributes or {})
    assert {name for name in said if name.startswith("gen_ai.")} <= NAMES
    assert said.get("gen_ai.operation.name") in (*OPERATIONS, None)
    assert "kettle" not in json.dumps([span.name, said]).lower() and not span.events


def test_log_lines_name_the_trace(spans: InMemorySpanExporter) -> None:
    with tracing.span(tracing.Described("work")):
        assert about()["trace"] == tracing.trace_id()
    assert "trace" not in about()


@pytest.mark.long
def test_spans_reach_a_collector_and_a_missing_one_delays_nothing(unused_port: int) -> None:
    received: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *line: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert not _process(STARTED, server.server_address[1])
        server.shutdown()
    [sent] = received[0].resource_spans
    assert {"supportbot-web"} == {
        said.value.string_value for said in sent.resource.attributes if said.key == "service.name"
    }
    assert sent.scope_spans[0].spans[0].name == "execute_tool refund_order"
    assert "Traceback" not in _process(STARTED, unused_port)


@pytest.mark.long
def test_without_the_extra_an_endpoint_stops_the_start_with_a_message() -> None:
    hidden = "import sys; sys.modules['opentelemetry.sdk'] = None\nimport django; django.setup()"
    assert "requirements-otel.lock" in _process(hidden, 1, expected=1).splitlines()[-1]


def _process(code: str, port: int, *, expected: int = 0) -> str:
    """Run Python with an endpoint set; return what it wrote to stderr."""
    endpoint = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "DJANGO_SETTINGS_MODULE": "supportbot.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **endpoint}, cwd=settings.BASE_DIR, capture_output=True,
        text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == expected, done.stderr
    return done.stderr
