"""The pages of a definition: their addresses, a draft, a signed-in admin, and the fields that a browser would send."""

from typing import Any

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser, LexborNode

from actions.definitions.models import ActionDefinition
from actions.definitions.services import save_draft
from supportbot.accounts.models import User, Workspace
from tests.actions.defined.conftest import document
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.conftest import logged_in, person
from tests.pages import visible_text

ACTIONS = "/admin/actions/actiondefinition/"
NAME = "cancel_pending_order"


@pytest.fixture
def dora(workspace: Workspace) -> User:
    return person(workspace, "admin", "dora.admin")


@pytest.fixture
def browser(dora: User) -> Client:
    return logged_in(dora)


@pytest.fixture
def draft(retail: LoopbackShop) -> ActionDefinition:
    return save_draft(document(), actor="operator:test").definition


def page_of(answer: Any) -> LexborNode:
    main = LexborHTMLParser(answer.content.decode()).css_first("main")
    assert main is not None
    return main


def at(definition: ActionDefinition, page: str = "change/") -> str:
    return f"{ACTIONS}{definition.pk}/{page}"


def fields_of(answer: Any) -> dict[str, Any]:
    """Return the fields of a page's form as a browser would send them."""
    found: dict[str, Any] = {}
    form = page_of(answer).css("form")[-1]
    for field in form.css("input[name], textarea[name], select[name]"):
        name, kind = field.attributes["name"] or "", field.attributes.get("type")
        if kind in ("checkbox", "radio"):
            if "checked" in field.attributes:
                found[name] = field.attributes.get("value") or "on"
        elif field.tag == "select":
            chosen = field.css_first("option[selected]")
            found[name] = (chosen.attributes.get("value") or "") if chosen else ""
        else:
            found[name] = field.text() if field.tag == "textarea" else field.attributes.get("value") or ""
    return {name: value.lstrip("\n") for name, value in found.items() if name not in ("csrfmiddlewaretoken", "take")}


def problems_of(answer: Any) -> str:
    return " ".join(visible_text(one) for one in page_of(answer).css(".err, .notice.bad"))


ORDER_LINE = "GET /orders/%23W0000001"
ASKED = {
    "customer": "ann_lee_1", "locale": "en", "argument-order_id": "#W0000001", "argument-reason": "no longer needed",
    "environment": "sample", "records": "",
}  # fmt: skip
