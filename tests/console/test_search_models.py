"""The page on which operators choose the embedding model: several local servers, and people without the right."""

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_asyncio
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings
from selectolax.lexbor import LexborHTMLParser

from kb.indexing.model_switch import carry_on
from kb.indexing.models import IndexSwitch, Recipe
from kb.indexing.recipes import active_recipe, forget_embedder_in_use
from kb.indexing.sync import sync_article
from supportbot.accounts.models import User
from supportbot.async_db import db
from supportbot.llm import gateway, loop_thread
from supportbot.llm.embeddings import routes as embedding_routes
from supportbot.llm.models import EmbeddingConnection
from supportbot.llm.providers import guarded as _loaded  # noqa: F401  # loaded before a deadline runs
from supportbot.values_saved_meanwhile import SEALED
from tests.console.conftest import Enter
from tests.kb.test_index import published
from tests.modelserver import Behaviour, ModelServer
from tests.modelserver.server import vector_of

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = "/admin/llm/modelconnection/"
SEARCH = f"{MODELS}search/"


@pytest.fixture(autouse=True)
def local(settings: Settings) -> Iterator[None]:
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    embedding_routes.forget()
    yield
    loop_thread.run(gateway.close())
    embedding_routes.forget()
    forget_embedder_in_use()


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[tuple[ModelServer, ModelServer]]:
    """A server, and one with a different model."""
    async with ModelServer() as first, ModelServer() as different:
        different.vector_of = lambda text: vector_of(text)[::-1]
        yield first, different


@pytest.fixture
def operator(enter: Enter) -> Client:
    client = enter("admin")
    User.objects.filter(pk=client.session["_auth_user_id"]).update(is_superuser=True)
    return client


def words_of(answer: Any) -> str:
    main = LexborHTMLParser(answer.content.decode()).css_first("main")
    assert main is not None
    return " ".join(main.text().split())


def add(operator: Client, server: ModelServer, name: str) -> tuple[EmbeddingConnection, str]:
    """Add a connection and test it; return it and the text of the test's page."""
    sent = {"name": name, "base_url": server.base_url, "model": "m", "key": "sk-one", "input_price": "2"}
    answer = operator.post(f"{SEARCH}new/", sent)
    row = EmbeddingConnection.objects.get(name=name)
    assert answer.status_code == 302 and answer["Location"] == f"{SEARCH}{row.pk}/"
    assert "sk-one" not in operator.get(answer["Location"]).content.decode()
    return row, words_of(operator.post(f"{SEARCH}{row.pk}/test/"))


@pytest.mark.long
async def test_a_model_is_added_tested_chosen_and_used(operator: Client, servers: tuple[ModelServer, ...]) -> None:
    await db(lambda: sync_article(published().pk))
    row, told = await db(add, operator, servers[0], "ours")
    assert "Vector dimensions 8" in told and "€0.000010" in told
    answer = await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    assert answer.status_code == 302
    for page in (MODELS, SEARCH):
        building = words_of(await db(operator.get, page))
        assert "Index for m: 0 of about" in building
    assert "Use for search" not in building and "Cancel and keep the old model" in building
    assert await db(carry_on)
    done = words_of(await db(operator.get, SEARCH))
    assert "Index for m" not in done and "words alone decide" in done and "ours In use" in done
    again = await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}, follow=True))
    assert "Search uses this model from now on" in words_of(again)


@pytest.mark.long
@pytest.mark.parametrize("embedder", ["packaged", "openai"])
async def test_the_environments_server_is_chosen_with_a_fallback(
    operator: Client, servers: tuple[ModelServer, ...], settings: Settings, embedder: str
) -> None:
    first, other = servers
    other.vector_of = vector_of
    settings.OPENAI_BASE_URL, settings.OPENAI_EMBEDDING_MODEL = first.base_url, "m"
    await db(active_recipe)
    settings.KB_EMBEDDER = embedder
    row, _ = await db(add, operator, other, "ours")
    page = await db(operator.get, SEARCH)
    assert "Environment variables" in words_of(page)
    variables = await db(lambda: EmbeddingConnection.objects.get(name="environment"))
    assert (await db(operator.get, f"{SEARCH}{variables.pk}/")).status_code == 404, "nobody edits it here"
    chosen = str(variables.pk) if embedder == "packaged" else "configured"
    assert chosen in dict(page.context["form"].fields["first"].choices)
    sent = {"first": chosen, "second": str(row.pk)}
    untested = await db(lambda: operator.post(SEARCH, sent))
    assert "Test Environment variables first" in words_of(untested)
    assert "Vector dimensions 8" in words_of(await db(lambda: operator.post(f"{SEARCH}{variables.pk}/test/")))
    assert (await db(lambda: operator.post(SEARCH, sent))).status_code == 302
    assert await db(carry_on)
    shown = await db(operator.get, SEARCH)
    assert shown.context["form"].initial == sent and words_of(shown).count("In use") >= 2


@pytest.mark.long
async def test_a_waiting_build_shows_the_reason_and_can_be_cancelled(
    operator: Client, servers: tuple[ModelServer, ...]
) -> None:
    await db(lambda: sync_article(published().pk))
    row, _ = await db(add, operator, servers[0], "ours")
    await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    servers[0].default = Behaviour(status=503)
    assert not await db(carry_on)
    assert "None of the model's servers are responding." in words_of(await db(operator.get, SEARCH))
    answer = await db(lambda: operator.post(f"{SEARCH}cancel/", follow=True))
    assert "Search continues with the old model" in words_of(answer)
    assert await db(lambda: IndexSwitch.objects.get().state) == "cancelled"
    assert await db(lambda: not active_recipe().is_chosen)


async def test_a_fallback_of_another_model_is_refused(operator: Client, servers: tuple[ModelServer, ...]) -> None:
    first, _ = await db(add, operator, servers[0], "ours")
    other, _ = await db(add, operator, servers[1], "other")
    answer = await db(lambda: operator.post(SEARCH, {"first": str(first.pk), "second": str(other.pk)}))
    assert answer.status_code == 400
    assert "other cannot stand in for ours: for the same texts, its vectors are different" in words_of(answer)
    assert not await db(IndexSwitch.objects.exists)


async def test_a_page_opened_before_another_choice_does_not_undo_it(
    operator: Client, servers: tuple[ModelServer, ...]
) -> None:
    row, _ = await db(add, operator, servers[0], "ours")
    page = await db(operator.get, SEARCH)
    hidden = LexborHTMLParser(page.content.decode()).css_first(f"[name={SEALED}]")
    assert hidden is not None
    there = {SEALED: hidden.attributes["value"], **page.context["form"].initial}
    await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    assert await db(carry_on)
    answer = await db(lambda: operator.post(SEARCH, there, follow=True))
    assert "Changed in the meantime, and kept: Model for search." in answer.content.decode()
    assert (await db(active_recipe)).model == "m"
    other, _ = await db(add, operator, servers[0], "other")
    refused = await db(lambda: operator.post(SEARCH, {**there, "first": str(other.pk)}))
    assert "Changed in the meantime to “ours (m)”." in words_of(refused)
    assert not await db(lambda: IndexSwitch.objects.filter(state="building").exists())


async def test_a_server_that_fails_its_test_says_why(operator: Client, servers: tuple[ModelServer, ...]) -> None:
    servers[0].will(Behaviour(status=401))
    row, told = await db(add, operator, servers[0], "ours")
    assert "The server refuses the key." in told
    answer = await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    assert answer.status_code == 400 and "Test ours first" in words_of(answer)


async def test_a_connection_that_search_uses_cannot_be_changed_or_deleted(
    operator: Client, servers: tuple[ModelServer, ...]
) -> None:
    row, _ = await db(add, operator, servers[0], "ours")
    await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    sent = {"name": "ours", "base_url": servers[0].base_url, "model": "n", "input_price": ""}
    answer = await db(lambda: operator.post(f"{SEARCH}{row.pk}/", sent))
    assert answer.status_code == 400 and "Add it as a new connection" in words_of(answer)
    refused = await db(lambda: operator.post(f"{SEARCH}{row.pk}/delete/"))
    assert refused.status_code == 409
    await db(lambda: operator.post(f"{SEARCH}cancel/"))
    await db(lambda: operator.post(f"{SEARCH}{row.pk}/delete/"))
    assert not await db(EmbeddingConnection.objects.exists)


def test_the_page_takes_the_same_number_of_queries_for_many_connections(operator: Client) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(SEARCH).status_code == 200
        return len(queries)

    asked()
    before = asked()
    for number in range(3):
        EmbeddingConnection.objects.create(name=f"server {number}", base_url="http://x/v1", model="m")
    assert asked() <= before


@pytest.mark.parametrize("role", ["admin", "supervisor", "editor"])
def test_members_of_a_workspace_see_the_model_and_cannot_change_it(enter: Enter, role: str) -> None:
    client, row = enter(role), EmbeddingConnection.objects.create(name="ours", base_url="http://x/v1", model="m")
    if role == "admin":
        page = words_of(client.get(MODELS))
        assert active_recipe().model in page and "operators of this installation" in page
        assert SEARCH not in client.get(MODELS).content.decode()
    addresses = ["", "new/", f"{row.pk}/", "cancel/", f"{row.pk}/test/", f"{row.pk}/delete/"]
    for address in addresses:
        assert client.post(f"{SEARCH}{address}", {"first": "packaged"}).status_code == 403
    for address in addresses[:3]:
        assert client.get(f"{SEARCH}{address}").status_code == 403
    assert EmbeddingConnection.objects.exists() and not Recipe.objects.filter(is_chosen=True).exists()


async def test_admins_of_a_workspace_see_no_figures_or_servers_of_the_installation(
    operator: Client, servers: tuple[ModelServer, ...]
) -> None:
    await db(lambda: sync_article(published().pk))
    row, _ = await db(add, operator, servers[0], "ours")
    await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    await db(lambda: User.objects.update(is_superuser=False))
    building = words_of(await db(operator.get, MODELS))
    assert "Index for m: 0" in building and "%" in building and "passages" not in building
    assert await db(carry_on)
    assert "ours" not in words_of(await db(operator.get, MODELS))


@pytest.mark.long
async def test_a_fallback_is_added_while_another_index_is_built(
    operator: Client, servers: tuple[ModelServer, ...]
) -> None:
    await db(lambda: sync_article(published().pk))
    row, _ = await db(add, operator, servers[0], "ours")
    await db(lambda: operator.post(SEARCH, {"first": str(row.pk)}))
    assert await db(carry_on)
    other, _ = await db(add, operator, servers[0], "fallback")
    await db(lambda: operator.post(SEARCH, {"first": "packaged"}))
    assert "only the connections of the model in use" in words_of(await db(operator.get, SEARCH))
    sent = {"first": str(row.pk), "second": str(other.pk)}
    answer = await db(lambda: operator.post(SEARCH, sent, follow=True))
    assert "Search uses this model from now on" in words_of(answer)
    assert await db(lambda: IndexSwitch.objects.filter(state="building").count()) == 1
