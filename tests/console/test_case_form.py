"""A case is edited in a form, or as YAML on another tab; the form keeps keys that it does not show."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from supportbot.accounts.models import Workspace
from supportbot.evals.models import Case, Suite
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.files import as_yaml, structure_of
from supportbot.evals.suite_formats.own_format import parse_suite
from tests.assistant.conftest import returns_article, shop
from tests.console.conftest import Enter
from tests.console.conftest import enter as enter
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
__all__ = ("returns_article", "shop")
CASES: list[dict[str, Any]] = [
    {"id": "plain", "ask": "How long?", "expect": {"figures": "60 days"}},
    {
        "id": "rich",
        "must": True,
        "customer": "cus_alice",
        "history": [{"customer": "Hello"}],
        "ask": "How long?",
        "expect": {"pattern": "d.ys", "says": ["One line.", "Two\nlines."], "figures": ["60 days", "€5"]},
    },
    {"id": "talk", "steps": ["Hello", "How long?"], "expect": {"figures": "60 days"}},
]


@pytest.fixture
def client(enter: Enter, workspace: Workspace) -> Client:
    save_suite(parse_suite({"suite": "returns", "title": "Returns", "cases": CASES}, file=""))
    return enter("supervisor")


def address(key: str = "") -> str:
    suite = Suite.objects.get()
    if not key:
        return reverse("admin:evals_suite_newcase", args=[suite.pk])
    return reverse("admin:evals_suite_case", args=[suite.pk, key])


def shown(client: Client, page: str, **posted: Any) -> LexborHTMLParser:
    answer = client.post(page, posted) if posted else client.get(page)
    return LexborHTMLParser(answer.content.decode())


def left_unchanged(page: LexborHTMLParser) -> list[str]:
    """Return the parts of the case that, as the page says, the form does not change."""
    words = visible_text(page.css_first("main"), " ")
    named = words.partition("The form does not change these parts of the case: ")[2].partition(". Edit them")[0]
    return named.replace(" and ", ", ").split(", ")


def entered(page: LexborHTMLParser) -> dict[str, Any]:
    """Return the fields that a browser would send from the form."""
    facts: dict[str, Any] = {}
    for field in page.css("main input[name], main textarea[name], main select[name]"):
        name, kind = field.attributes["name"], field.attributes.get("type")
        if field.tag == "select":
            chosen = field.css_first("option[selected]") or field.css_first("option")
            facts[name] = chosen.attributes.get("value")
        elif kind == "checkbox":
            facts |= {name: "on"} if "checked" in field.attributes else {}
        else:
            facts.setdefault(name, []).append(
                field.text() if field.tag == "textarea" else field.attributes.get("value")
            )
    return {name: [one or "" for one in told] if isinstance(told, list) else told for name, told in facts.items()}


def document(key: str) -> dict[str, Any]:
    found: dict[str, Any] = Case.objects.get(key=key).document
    return found


def test_a_new_case_is_entered_as_a_form(client: Client, returns_article: Article) -> None:
    form = entered(shown(client, address()))
    told = {
        "key": "window", "ask": "How long can I return things?", "source": [returns_article.title, ""],
        "says": "Unused items can be returned.\n\nThe label is free.", "never_says": "Used items can be returned.",
        "figures": "60 days", "abstains": "no", "must": "on",
    }  # fmt: skip
    assert client.post(address(), {**form, **told}).status_code == 302
    assert document("window") == {
        "id": "window",
        "ask": "How long can I return things?",
        "must": True,
        "expect": {
            "source": [returns_article.external_id],
            "says": ["Unused items can be returned.", "The label is free."],
            "never_says": ["Used items can be returned."],
            "figures": ["60 days"],
            "abstains": False,
        },
    }


@pytest.mark.parametrize(
    ("expect", "kept"),
    [
        ({"figures": "60 days", "says": [True]}, ["says"]),
        ({"figures": "60 days", "source": False, "never_says": ["Used.", True]}, ["source", "never_says"]),
        ({"figures": "60 days", "judge": {"rubric": "Is polite."}}, ["judge"]),
        ({"figures": "60 days", "judge": ["Is polite.", 5]}, ["judge"]),
        ({"figures": "60 days", "judge": True}, ["judge"]),
    ],
)
def test_values_that_are_not_texts_stay_unchanged(client: Client, expect: dict[str, Any], kept: list[str]) -> None:
    text = as_yaml({"id": "odd", "ask": "How long?", "expect": expect})
    as_form = shown(client, address(), text=text, tab="document", show="form", suite=str(Suite.objects.get().pk))
    assert not as_form.css(", ".join(f"[name={name}]" for name in kept))
    assert set(kept) <= set(left_unchanged(as_form))
    again = shown(client, address(), **{**entered(as_form), "figures": "90 days", "show": "document"})
    after = structure_of(again.css_first("textarea[name=text]").text())
    assert after["expect"] == {**expect, "figures": ["90 days"]}


def test_a_question_that_is_not_a_string_stays_unchanged(client: Client) -> None:
    posted = {"text": "{id: odd, ask: true, expect: {figures: 60}}", "tab": "document", "show": "form"}
    as_form = shown(client, address(), **posted)
    assert not as_form.css("[name=ask]")
    again = shown(client, address(), **{**entered(as_form), "show": "document"})
    assert structure_of(again.css_first("textarea[name=text]").text())["ask"] is True


def test_a_case_that_cannot_be_stored_stays_on_its_tab(client: Client) -> None:
    form = entered(shown(client, address("plain")))
    for posted in ({**form, "figures": ""}, {**form, "tab": "document", "text": "{id: plain}"}):
        answer = client.post(address("plain"), posted)
        page = LexborHTMLParser(answer.content.decode())
        assert answer.status_code == 400 and page.css("[role=alert]")
        assert bool(page.css("[name=figures]")) == (posted["tab"] == form["tab"])
    unread = client.post(address("plain"), {**form, "text": "[:"})
    page = LexborHTMLParser(unread.content.decode())
    assert unread.status_code == 400 and page.css_first("textarea[name=text]").text().strip() == "[:"
    assert document("plain") == CASES[0] | {"expect": {"figures": ["60 days"]}}


@pytest.mark.parametrize("key", ["plain", "rich", "talk"])
def test_saving_the_form_unchanged_changes_nothing(client: Client, key: str) -> None:
    before = document(key)
    assert client.post(address(key), entered(shown(client, address(key)))).status_code == 302
    assert document(key) == before


def test_keys_that_the_form_does_not_show_are_named_and_kept(client: Client) -> None:
    page = shown(client, address("rich"))
    assert {"history", "customer", "pattern", "says"} <= set(left_unchanged(page))
    assert not page.css("[name=says]") and page.css("[name=never_says]")
    client.post(address("rich"), {**entered(page), "figures": "90 days"})
    after = document("rich")
    assert after["expect"].pop("figures") == ["90 days"]
    assert after["expect"] == {"pattern": ["d.ys"], "says": ["One line.", "Two\nlines."]}
    assert (after["customer"], after["history"]) == ("cus_alice", [{"customer": "Hello"}])
    assert not shown(client, address("talk")).css("[name=ask]")


def test_switching_tabs_keeps_the_entered_values_and_stores_nothing(client: Client) -> None:
    form = entered(shown(client, address("plain")))
    as_yaml = shown(client, address("plain"), **{**form, "ask": "How much?", "show": "document"})
    text = as_yaml.css_first("textarea[name=text]").text()
    assert "ask: How much?" in text and not as_yaml.css("[name=ask]")
    posted = {"text": text.replace("60 days", "90 days"), "tab": "document", "show": "form", "suite": form["suite"]}
    again = shown(client, address("plain"), **posted)
    assert again.css_first("[name=ask]").text().strip() == "How much?"
    assert again.css_first("[name=figures]").text().strip() == "90 days"
    assert document("plain")["ask"] == "How long?"
    odd = shown(client, address("plain"), **{**posted, "text": "{steps: 5, expect: {abstains: [x], says: {a: b}}}"})
    assert not odd.css("[name=ask], [name=abstains], [name=says]") and odd.css("[name=figures]")
    broken = shown(client, address("plain"), **{**posted, "text": "[:"})
    assert broken.css("[role=alert]") and broken.css_first("textarea[name=text]").text().strip() == "[:"
    empty = shown(client, address("plain"), **{**posted, "show": "", "text": "# nothing"})
    assert "The text is empty." in visible_text(empty.css_first("[role=alert]"))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"source": ["No such article"]}, "No article has the id or title “No such article”."),
        ({"source": ["No such\x00 article"]}, "No article has the id or title “No such article”."),
        ({"source": ["x" * 70_000]}, f"No article has the id or title “{'x' * 99}…”."),
        ({"figures": "no number " * 50}, f"“{('no number ' * 10)[:99]}…” contains no figure."),
        ({"figures": ""}, "the case has no expectation"),
        ({"ask": ""}, "`ask`"),
        ({"figures": "\n".join(f"{number} days" for number in range(31))}, "at most 30 lines"),
    ],
)
def test_an_invalid_entry_stores_nothing_and_keeps_the_typed_values(
    client: Client, told: dict[str, Any], words: str
) -> None:
    form = {**entered(shown(client, address("plain"))), "judge": "Is polite." if "figures" not in told else ""}
    answer = client.post(address("plain"), {**form, **told})
    page = LexborHTMLParser(answer.content.decode())
    assert answer.status_code == 400 and words in visible_text(page.css_first("main"), " ")
    assert page.css_first("[name=judge]").text().strip() == form["judge"]
    assert document("plain") == CASES[0] | {"expect": {"figures": ["60 days"]}}
