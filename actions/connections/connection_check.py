"""Testing a connection: one GET of its test path, reported step by step."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from django.utils.translation import gettext as _

from actions.connections.client import Call, Client, NoAnswer, NotSent, Response
from actions.connections.models import Connection
from supportbot.outbound.http import Trace

TEST_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Step:
    is_ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """The steps of a test, in order. `outcome` is the code in records: `answered_200`, `not_sent` or `no_answer`."""

    steps: tuple[Step, ...]
    outcome: str

    @property
    def is_ok(self) -> bool:
        return all(step.is_ok for step in self.steps)


def probe(connection: Connection) -> Report:
    """Call the test path; failures are reported, not raised."""
    trace, path = Trace(), connection.test_path
    path, _mark, query = path.partition("?")
    call = Call("GET", path, query=dict(parse_qsl(query)), timeout_seconds=TEST_SECONDS)
    try:
        response = Client(connection).send(call, trace=trace)
    except NotSent as error:
        text = _("Nothing was sent: %(why)s.")
        return Report((*_way(trace), Step(False, text % {"why": error.why})), "not_sent")
    except NoAnswer as error:
        text = _("The call was sent, but there was no usable response: %(why)s.")
        return Report((*_way(trace), Step(False, text % {"why": error.why})), "no_answer")
    return Report((*_way(trace), _answered(response, call)), f"answered_{response.status}")


def _way(trace: Trace) -> list[Step]:
    """Return the steps that the call completed."""
    steps = []
    if trace.addresses:
        steps.append(Step(True, _("The name resolves to %(found)s.") % {"found": ", ".join(trace.addresses)}))
    if trace.connected_to:
        steps.append(Step(True, _("Connected to %(address)s.") % {"address": trace.connected_to}))
    if trace.tls:
        facts = {"version": trace.tls, "until": trace.certificate_ends}
        steps.append(Step(True, _("Encrypted with %(version)s. The certificate is valid until %(until)s.") % facts))
    return steps


def _answered(response: Response, call: Call) -> Step:
    facts = {"path": call.path, "status": response.status}
    if response.status < 300:
        return Step(True, _("GET %(path)s returned %(status)s.") % facts)
    if response.status in (401, 403):
        return Step(False, _("GET %(path)s returned %(status)s: the API does not accept these credentials.") % facts)
    if response.status == 404:
        return Step(False, _("GET %(path)s returned 404: choose a test path that exists.") % facts)
    return Step(False, _("GET %(path)s returned %(status)s, which is not a success status.") % facts)
