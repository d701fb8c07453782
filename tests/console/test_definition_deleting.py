"""Deleting drafts that were never published, one or several at once."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from actions.definitions import publishing, services
from actions.definitions.errors import NoSuchDefinition, NotPublisher, Outdated
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.selectors import newest_version
from actions.definitions.services import save_draft
from actions.models import AuditEntry
from supportbot.accounts.models import User
from tests.actions.defined.conftest import document, store_as_published
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.conftest import Enter
from tests.console.definition_pages import ACTIONS, NAME, at, fields_of, page_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
PAGE = f"{ACTIONS}delete/"


def draft_named(name: str) -> ActionDefinition:
    return save_draft({**document(), "name": name}, actor="operator:test").definition


def deferred_checks() -> None:
    """Run the checks that the database makes when a transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_draft_is_deleted_from_its_page_after_a_confirmation(
    browser: Client, dora: User, draft: ActionDefinition
) -> None:
    save_draft({**document(), "card": None}, actor="operator:test")
    DefinitionCase.objects.create(definition=draft, name="ok", sub="a", expected="allowed")
    links = [one.attributes["href"] for one in page_of(browser.get(at(draft))).css("a")]
    address = f"{PAGE}?one={draft.pk}"
    assert address in links
    asked = browser.get(address)
    assert NAME in visible_text(page_of(asked)) and ActionDefinition.objects.count() == 1
    told = browser.post(PAGE, fields_of(asked), follow=True)
    deferred_checks()
    assert "1 draft deleted." in told.content.decode()
    assert not ActionDefinition.objects.exists() and not ActionDefinitionVersion.objects.exists()
    assert not DefinitionCase.objects.exists()
    entry = AuditEntry.objects.get(event="definition.deleted")
    assert (entry.payload, entry.actor) == ({"action": NAME, "versions": 2}, f"user:{dora.pk}")
    assert browser.get(at(draft)).status_code == 404


def test_drafts_ticked_in_the_list_are_deleted_at_once_and_published_ones_stay(
    browser: Client, retail: LoopbackShop
) -> None:
    live = store_as_published(document())
    one, two = draft_named("one"), draft_named("two")
    kept = draft_named("kept")
    ticked = {"action": "delete_ticked", "_selected_action": [str(row.pk) for row in (live, one, two)]}
    asked = browser.post(ACTIONS, ticked)
    words = visible_text(page_of(asked), " ")
    assert "These are kept, because they have been published." in words and ActionDefinition.objects.count() == 4
    sent = [field.attributes["value"] for field in page_of(asked).css("input[name=name]")]
    assert sent == ["one", "two"]
    browser.post(PAGE, {"name": [*sent, NAME]})  # also a name that the page did not send
    deferred_checks()
    assert set(ActionDefinition.objects.values_list("name", flat=True)) == {NAME, kept.name}


def test_the_database_keeps_published_versions(retail: LoopbackShop) -> None:
    live = store_as_published(document())
    former = newest_version(live)
    live.current = save_draft({**document(), "examples": {}}, actor="operator:test")
    live.save(update_fields=["current"])
    ActionDefinitionVersion.objects.filter(pk=former.pk).update(published_at=live.created_at)
    with pytest.raises(IntegrityError, match="a version is deleted only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM actions_actiondefinitionversion WHERE id = %s", [former.pk])
        deferred_checks()


def test_a_version_that_is_deleted_meanwhile_is_neither_published_nor_saved_again(
    dora: User, draft: ActionDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    def passes_and_deletes(definition: ActionDefinition, action: object) -> dict[str, list[str]]:
        services.delete_drafts([NAME], person=dora)
        return {}

    DefinitionCase.objects.create(definition=draft, name="ok", sub="a", expected="allowed")
    number = newest_version(draft).number
    monkeypatch.setattr(publishing, "failures_of", passes_and_deletes)
    with pytest.raises(NoSuchDefinition):
        publishing.publish(NAME, number=number, person=dora)
    with pytest.raises(Outdated):
        save_draft({**document(), "card": None}, actor="operator:test", based_on=number)
    assert not ActionDefinition.objects.exists()


def test_only_admins_delete(enter: Enter, draft: ActionDefinition) -> None:
    for role in ("editor", "agent", "supervisor"):
        client = enter(role)
        assert client.get(f"{PAGE}?one={draft.pk}").status_code in (403, 404)
        assert client.post(PAGE, {"name": NAME}).status_code in (403, 404)
    with pytest.raises(NotPublisher):
        services.delete_drafts([NAME], person=User.objects.create_user("mallory"))
    assert ActionDefinition.objects.filter(name=NAME).exists()


@pytest.mark.parametrize("one", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_draft_has_no_page(browser: Client, dora: User, one: str) -> None:
    assert browser.get(f"{PAGE}?one={one}").status_code == 404


def test_a_new_action_may_take_the_name(dora: User, draft: ActionDefinition) -> None:
    services.delete_drafts([NAME], person=dora)
    made = draft_named(NAME)
    assert (made.pk != draft.pk, newest_version(made).number) == (True, 1)
