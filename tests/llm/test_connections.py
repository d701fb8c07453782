"""Routes to a workspace's own connections: several servers, one of them down, a changed key, a deleted connection."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from actions.models import AuditEntry
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.staff_principals import staff_of
from supportbot.accounts.team_members import add_member
from supportbot.async_db import db
from supportbot.errors import InvalidInput, NotFound
from supportbot.llm import connections, gateway, release_routes
from supportbot.llm.connection_check import try_connection
from supportbot.llm.errors import ConnectionInUse
from supportbot.llm.models import LLMCall, ModelConnection
from supportbot.llm.providers import guarded as _loaded  # noqa: F401  # loaded before a deadline runs
from supportbot.llm.types import ModelRequest
from supportbot.releases import services
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release
from tests.llm.conftest import BUILTIN_ANSWER, read, text_of
from tests.modelserver import Behaviour, Call, ModelServer
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[..., ModelRequest]


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    settings.MODEL_DEADLINE_SECONDS = PATIENCE_SECONDS
    settings.LLM_FIRST_TOKEN_SECONDS = settings.LLM_GAP_SECONDS = PATIENCE_SECONDS


@pytest.fixture
def ada(workspace: Workspace) -> Staff:
    user = User.objects.create_user("ada", first_name="Ada", password="correct horse battery")
    add_member(workspace, user, Membership.Role.ADMIN)
    found = staff_of(user, workspace.pk)
    assert found is not None
    return found


@pytest_asyncio.fixture
async def two() -> AsyncIterator[tuple[ModelServer, ModelServer]]:
    async with ModelServer() as first, ModelServer() as second:
        first.default, second.default = Behaviour(text="From the first."), Behaviour(text="From the second.")
        yield first, second
        await gateway.close()


def connection(server: ModelServer | str, name: str, *, key: str = "sk-one", **more: Any) -> ModelConnection:
    url = server if isinstance(server, str) else server.base_url
    return connections.save({"name": name, "base_url": url, "model": "m", **more}, key=key, actor="test")


def route(ada: Staff, *names: object, purpose: str = "answer", **document: Any) -> Release:
    routes = {purpose: [str(name) for name in names]}
    draft = services.create_draft(person=ada, document={"routes": routes, **document})
    return services.publish(draft.pk, person=ada, instead_of=live_release().number, reason="models")


async def test_the_next_connection_answers_when_the_first_is_down(
    two: tuple[ModelServer, ModelServer], ada: Staff, ask: Ask, stored: Callable[[], Any]
) -> None:
    first, second = two
    one = await db(connection, first, "one", temperature=0.5, input_price=Decimal(2), output_price=Decimal(4))
    other = await db(connection, second, "other", max_output_tokens=99)
    await db(route, ada, one.pk, other.pk, parameters={"answer": {"temperature": None}})
    assert text_of(await read(ask())) == "From the first."
    [asked] = first.chats
    assert (asked["temperature"], asked["max_tokens"], asked["model"]) == (0.5, 800, "m")
    assert first.asked[-1].headers["authorization"] == "Bearer sk-one"
    await first.stop()
    assert text_of(await read(ask())) == "From the second."
    assert second.chats[-1]["max_tokens"] == 99
    await second.stop()
    assert text_of(await read(ask())) == BUILTIN_ANSWER
    rows = await stored()
    assert [row.provider for row in rows if row.outcome == "done"] == ["one", "other", "builtin"]
    assert rows[0].cost > 0 and rows[0].currency == "EUR"
    await first.start()
    await second.start()


async def test_a_new_key_is_used_from_the_next_answer_in_every_process(
    two: tuple[ModelServer, ModelServer], ada: Staff, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = two
    row = await db(connection, first, "one")
    await db(route, ada, row.pk)
    await read(ask())
    facts = {"name": "one", "base_url": first.base_url, "model": "m"}
    await db(lambda: connections.save(facts, key="sk-two", actor="test", connection_id=row.pk))
    await read(ask())
    # Another process changes the key; this one only sees the rows.
    await db(lambda: ModelConnection.objects.filter(pk=row.pk).update(model="newer", version=9))
    monkeypatch.setattr(connections, "monotonic", lambda: 1e12)  # more than two seconds later
    await read(ask())
    assert [asked.headers["authorization"] for asked in first.asked] == ["Bearer sk-one"] + ["Bearer sk-two"] * 2
    assert first.chats[-1]["model"] == "newer"


async def test_a_second_look_can_have_its_own_model(two: tuple[ModelServer, ModelServer], ada: Staff, ask: Ask) -> None:
    _, second = two
    assert not gateway.has_route("verify")
    row = await db(connection, second, "checker")
    await db(route, ada, row.pk, purpose="verify")
    await read(ask())  # from now on, the release is cached
    assert gateway.has_route("verify")
    assert text_of(await read(ask(purpose="verify"))) == "From the second."


def test_a_release_with_a_route_that_is_refused_now_can_be_restored(
    ada: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routing skips connections that cannot serve, and restoring a release must be possible at once."""
    with monkeypatch.context() as before:
        before.setattr(release_routes, "_unable", lambda document: [])
        older = route(ada, "builtin", purpose="judge")
    route(ada, "builtin")
    with pytest.raises(InvalidInput):
        route(ada, "builtin", purpose="judge")
    restored = services.restore(older.pk, person=ada, instead_of=live_release().number, reason="back")
    assert live_release().pk == restored.pk
    assert not gateway.has_route("judge")


def test_no_route_leads_to_a_deleted_connection(ada: Staff, workspace: Workspace, other_workspace: Workspace) -> None:
    row = connection("http://127.0.0.1:9/v1", "one")
    before = route(ada, row.pk)
    with pytest.raises(ConnectionInUse, match=str(before.number)):
        connections.remove(row.pk, actor="test")
    route(ada, "builtin")
    connections.remove(row.pk, actor="test")
    with pytest.raises(InvalidInput):
        services.restore(before.pk, person=ada, instead_of=live_release().number, reason="back")
    with workspace_scope(other_workspace.pk):
        theirs = connection("http://127.0.0.1:9/v1", "one")
    for name in (theirs.pk, row.pk, uuid4(), "openai"):
        with pytest.raises(InvalidInput):
            route(ada, name)
    with pytest.raises(NotFound):
        connections.remove(theirs.pk, actor="test")
    events = AuditEntry.objects.filter(event__startswith="model_connection").values_list("event", flat=True)
    assert list(events) == ["model_connection.created", "model_connection.removed"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "Environment"}, "name"),
        ({"base_url": "http://169.254.169.254/v1"}, "base_url"),
        ({"base_url": "ftp://models.example"}, "base_url"),
        ({"base_url": "http://127.0.0.2:9/v1"}, "key"),
        ({"input_price": Decimal(1)}, "output_price"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_their_field(
    workspace: Workspace, values: dict[str, Any], field: str
) -> None:
    row = connection("http://127.0.0.1:9/v1", "one")
    facts = {"name": "one", "base_url": "http://127.0.0.1:9/v1", "model": "m", **values}
    with pytest.raises(InvalidInput) as refusal:
        connections.save(facts, key="", actor="test", connection_id=row.pk)
    assert list(refusal.value.fields) == [field]
    row.refresh_from_db()
    assert (row.base_url, row.key, row.version) == ("http://127.0.0.1:9/v1", "sk-one", 1)


async def test_a_private_address_is_never_called_unless_it_is_allowed(
    two: tuple[ModelServer, ModelServer], ada: Staff, ask: Ask, settings: Settings
) -> None:
    first, _ = two
    row = await db(connection, first, "one")
    await db(route, ada, row.pk)
    settings.PRIVATE_NETWORKS = ()
    assert text_of(await read(ask())) == BUILTIN_ANSWER
    tried = await db(try_connection, row.pk)
    assert "PRIVATE_NETWORKS" in tried.refused and not first.asked


async def test_a_test_reports_what_a_model_can_do(two: tuple[ModelServer, ModelServer], workspace: Workspace) -> None:
    first, second = two
    able = await db(connection, first, "able", input_price=Decimal(1), output_price=Decimal(1))
    plain = await db(connection, second, "plain")
    first.will(Behaviour(text="", calls=(Call("ping"),)), Behaviour(text='{"ready": true}'))
    second.will(Behaviour(text="ready", is_whole=True), Behaviour(text="ready", is_whole=True))
    found = await db(try_connection, able.pk)
    assert found.is_answering and found.streams and found.calls_tools and found.gives_json
    assert found.cost is not None and found.cost.amount > 0
    less = await db(try_connection, plain.pk)
    assert less.is_answering and not (less.streams or less.calls_tools or less.gives_json) and less.cost is None
    assert await db(lambda: LLMCall.objects.filter(purpose="test").count()) == 2
    second.will(Behaviour(status=401))
    assert (await db(try_connection, plain.pk)).reason == "not_authorised"
