"""Releases in the console: a draft from its form to its publication, and the rights of each role."""

from dataclasses import replace
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.indexing.recipes import active_recipe
from kb.services import Change, create_article, publish, save_draft
from supportbot.accounts.models import User, Workspace
from supportbot.console import llm_models
from supportbot.console.releases.failed_cases import failed_cases
from supportbot.console.releases.strictness import STRICTNESS
from supportbot.evals.models import Run, Suite
from supportbot.evals.runs.run_worker import execute_run
from supportbot.evals.services import save_suite, start_run
from supportbot.evals.suite_formats.files import read_suite
from supportbot.evals.suite_formats.own_format import parse_suite
from supportbot.llm import connections
from supportbot.llm.connection_check import ConnectionTestResult
from supportbot.llm.models import ModelConnection
from supportbot.llm.testing import answering
from supportbot.releases import ports
from supportbot.releases.models import Release
from supportbot.releases.selectors import current, gates, live_release
from supportbot.releases.tasks import judge_waiting
from tests.console.conftest import Enter
from tests.console.test_firststeps import steps
from tests.evals.test_gates import Forgetful
from tests.evals.test_runs import Judging
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
CONNECT = "Connect a model, or continue without one"
RELEASES = "/admin/releases/release/"
EMPTY = {"g-TOTAL_FORMS": "1", "g-INITIAL_FORMS": "0", "g-MIN_NUM_FORMS": "0", "g-MAX_NUM_FORMS": "60"}


@pytest.fixture
def admin(enter: Enter) -> Client:
    return enter("admin")


def draft(admin: Client) -> Release:
    admin.post(f"{RELEASES}new/")
    return Release.objects.order_by("-number")[0]


def filled(row: Release, **more: Any) -> dict[str, Any]:
    return {"edits": row.edits, "strictness": "balanced", "passages": 6, **EMPTY, **more}


def test_a_draft_is_written_compared_and_published(admin: Client, workspace: Workspace) -> None:
    row = draft(admin)
    rule = {"g-0-when": "they ask for a discount", "g-0-do": "say there is none", "g-0-languages": "en, de"}
    told = filled(row, tone="warm", greetings="en: Hi {name}\nde: Hallo", temperature="0.2", reason="warmer", **rule)
    saved = admin.post(f"{RELEASES}{row.pk}/edit/", told)
    assert saved.status_code == 302, saved.content
    page = admin.get(f"{RELEASES}{row.pk}/change/").content.decode()
    shown = LexborHTMLParser(page)
    assert [one.text() for one in shown.css(".form-main h2")] == ["Greetings", "Tone", "Guidelines", "Model parameters"]
    assert "When they ask for a discount: say there is none (en, de)" in shown.css_first(".form-main").text()
    publish = f"{RELEASES}{row.pk}/publish/"
    refused = admin.post(publish, {"instead_of": 1, "edits": 1, "reason": ""})
    field = LexborHTMLParser(refused.content.decode()).css_first("#reason")
    assert refused.status_code == 400 and {"aria-invalid", "autofocus"} <= field.attributes.keys()
    assert "Explain why, briefly." in field.parent.parent.text()
    refused = admin.post(publish, {"instead_of": 9, "edits": 1, "reason": "warmer"})
    assert refused.status_code == 409 and "Another release has gone live" in refused.content.decode()
    assert admin.post(publish, {"instead_of": 1, "edits": 1, "reason": "warmer"}).status_code == 302
    document = current().document
    assert (document.tone, document.greetings["de"], document.parameters_for("answer").temperature) == (
        "warm",
        "Hallo",
        0.2,
    )
    assert document.guidelines[0].author == "admin.of.wrenfell"
    first = Release.objects.get(number=1)
    admin.post(f"{RELEASES}{first.pk}/restore/", {"instead_of": row.number, "reason": "too warm"})
    assert current().document.tone == "" and "restores 1" in admin.get(RELEASES).content.decode()


def test_a_draft_without_changes_can_be_neither_evaluated_nor_published(admin: Client, workspace: Workspace) -> None:
    page = f"{RELEASES}{draft(admin).pk}/"

    def shown() -> LexborHTMLParser:
        return LexborHTMLParser(admin.get(f"{page}change/").content.decode())

    assert "Nothing has changed yet" in shown().css_first("#h-publish").parent.text()
    assert not any("/publish/" in str(form.attributes["action"]) for form in shown().css("main form"))
    refused = admin.post(f"{page}publish/", {"instead_of": 1, "edits": 0, "reason": "warmer"})
    assert refused.status_code == 409 and "identical to the live release" in refused.content.decode()
    assert current().number == 1
    admin.post(f"{page}edit/", filled(Release.objects.order_by("-number")[0], tone="warm"))
    assert "Nothing has changed" not in shown().css_first("main").text()
    assert any("/publish/" in str(form.attributes["action"]) for form in shown().css("main form"))
    save_suite(read_suite(b"suite: shop\ncases: [{id: one, ask: Returns?, expect: {figures: 60 days}}]", file="s.yaml"))
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    assert shown().css("#h-gates")
    admin.post(f"{page}edit/", filled(Release.objects.order_by("-number")[0], tone=current().document.tone))
    assert "Nothing has changed yet" in shown().css_first("main").text() and not shown().css("#h-gates")


@pytest.mark.long
def test_the_page_of_an_older_release_shows_the_changes_of_restoring_it(admin: Client, workspace: Workspace) -> None:
    put_live(admin, tone="warm", instructions="Be brief.")
    second = put_live(admin, tone="cool", instructions="Be brief.")
    third = put_live(admin, tone="cool", instructions="Explain.")
    shown = LexborHTMLParser(admin.get(f"{RELEASES}{second.pk}/change/").content.decode())
    sections = [
        (one.attributes["aria-labelledby"], one.css_first("h2").text()) for one in shown.css(".form-main .card")
    ]
    assert sections == [("l-1", "Instructions"), ("d-1", "Tone")]
    assert f"change in the live release {third.number}" in visible_text(shown)
    removed, added = (shown.css_first(f"[aria-labelledby=l-1] .{kind}") for kind in ("del", "add"))
    assert (removed.text(strip=True), added.text(strip=True)) == ("Explain.", "Be brief.")
    again = put_live(admin, tone="cool", instructions="Be brief.")
    same = LexborHTMLParser(admin.get(f"{RELEASES}{second.pk}/change/").content.decode())
    assert f"identical to the live release {again.number}" in visible_text(same)
    assert not same.css("[aria-labelledby^=l-]") and same.css("[aria-labelledby=d-1]")
    assert "restoring" not in visible_text(
        LexborHTMLParser(admin.get(f"{RELEASES}{again.pk}/change/").content.decode())
    )


def changed_draft(admin: Client, **told: Any) -> Release:
    """Return a draft that differs from the live release: others are refused."""
    row = draft(admin)
    assert admin.post(f"{RELEASES}{row.pk}/edit/", filled(row, **told)).status_code == 302
    row.refresh_from_db()
    return row


def put_live(admin: Client, **told: Any) -> Release:
    row, live = changed_draft(admin, **told), live_release().number
    admin.post(f"{RELEASES}{row.pk}/publish/", {"instead_of": live, "edits": 1, "reason": "other"})
    row.refresh_from_db()
    assert row.state == Release.State.LIVE
    return row


@pytest.mark.long
def test_restoring_a_release_that_never_passed_the_gates_requires_a_reason(
    admin: Client, enter: Enter, workspace: Workspace
) -> None:
    second = put_live(admin, tone="warm")
    save_suite(read_suite(b"suite: shop\ncases: [{id: one, ask: Returns?, expect: {figures: 60 days}}]", file="s.yaml"))
    first = Release.objects.get(number=1)
    page = f"{RELEASES}{first.pk}/"

    def restoring() -> LexborHTMLParser:
        shown: LexborHTMLParser = LexborHTMLParser(admin.get(f"{page}change/").content.decode())
        return shown

    shown = restoring()
    assert not shown.css("#override") and "has not passed" not in visible_text(shown)
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    shown = restoring()
    assert shown.css("#override") and "has not passed the current gates" in visible_text(shown)
    told = {"instead_of": second.number, "reason": "too warm"}
    refused = admin.post(f"{page}restore/", told)
    again = LexborHTMLParser(refused.content.decode())
    field = again.css_first("#override")
    assert "Explain why" in visible_text(again.css_first("#override_error"))
    assert refused.status_code == 409 and {"aria-invalid", "autofocus"} <= field.attributes.keys()
    assert live_release().pk == second.pk
    restored = admin.post(f"{page}restore/", {**told, "override": "It was fine"}, follow=True).content.decode()
    assert "Restored without the gates" in restored and "It was fine" in restored
    listed = visible_text(LexborHTMLParser(admin.get(RELEASES).content.decode()).css_first("#result_list"))
    assert listed.count("Restored without the gates") == 1
    third = live_release()
    assert third.restores == 1
    start_run(Suite.objects.get(), release=third)
    since = LexborHTMLParser(admin.get(f"{RELEASES}{third.pk}/change/").content.decode())
    assert "0 of 1 cases run" in visible_text(since.css_first("[aria-labelledby=h-since]"))
    # A role that may not read runs.
    assert b"h-since" not in enter("editor").get(f"{RELEASES}{third.pk}/change/").content


@pytest.mark.long
def test_a_proven_release_says_when_it_passed_and_what_changed(admin: Client, workspace: Workspace) -> None:
    save_suite(read_suite(b"suite: shop\ncases: [{id: one, ask: Returns?, expect: {figures: 60 days}}]", file="s.yaml"))
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    second = changed_draft(admin, tone="warm")
    passed = {
        "passed": True, "digest": second.digest, "suites": ["shop"], "failed_must": [], "regressions": [],
        "run_ids": [], "references": ports.references(second), "at": now().isoformat(),
    }  # fmt: skip
    Release.objects.filter(pk=second.pk).update(verdict=passed)
    admin.post(f"{RELEASES}gates/", {})
    admin.post(f"{RELEASES}{second.pk}/publish/", {"instead_of": 1, "edits": second.edits, "reason": "warmer"})
    third = put_live(admin, tone="cool")
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    article = create_article(Change(title="Returns", body="Within 60 days."), external_id="returns")
    publish(article.pk)
    page = LexborHTMLParser(admin.get(f"{RELEASES}{second.pk}/change/").content.decode())
    words = visible_text(page.css_first("[aria-labelledby=h-restore]"))
    assert (
        "This release passed the gates on" in words
        and "Changed since then: articles." in words
        and not page.css("#override")
    )
    suite = read_suite(b"suite: shop\ncases: [{id: one, ask: Returns?, expect: {figures: 60 days}}]", file="s.yaml")
    Suite.objects.all().delete()
    without = admin.get(f"{RELEASES}{second.pk}/change/").content.decode()
    assert "Deleted gate suites: shop." in visible_text(LexborHTMLParser(without))
    save_suite(suite)
    told = {"instead_of": third.number, "reason": "too cool"}
    assert admin.post(f"{RELEASES}{second.pk}/restore/", told).status_code == 302
    assert live_release().restores == second.number


@pytest.mark.long
def test_a_route_that_cannot_serve_its_purpose_is_neither_offered_nor_saved(
    admin: Client, workspace: Workspace, settings: Any
) -> None:
    row = draft(admin)
    edit = f"{RELEASES}{row.pk}/edit/"

    def offered(purpose: str) -> set[str]:
        form = LexborHTMLParser(admin.get(edit).content.decode())
        return {one.attributes["value"] or "" for one in form.css(f"#id_route_{purpose}_0 option")} - {""}

    assert offered("answer") == {"builtin"} and offered("judge") == set()
    for wrong, why in (
        ({"route_answer_0": "environment"}, "No model is set in the environment variables."),
        ({"route_judge_0": "builtin"}, "The built-in answerer cannot judge"),
    ):
        refused = admin.post(edit, filled(row, **wrong))
        assert refused.status_code == 400 and why in refused.content.decode()
    row.refresh_from_db()
    assert (row.edits, row.contents.routes) == (0, {})

    settings.OPENAI_MODEL = "m-1"
    assert offered("answer") == {"environment", "builtin"} and offered("judge") == {"environment"}
    assert admin.post(edit, filled(row, route_judge_0="environment")).status_code == 302
    settings.OPENAI_MODEL = ""  # switched off meanwhile
    assert offered("judge") == {"environment"}
    row.refresh_from_db()
    publish = {"instead_of": 1, "edits": row.edits, "reason": "judge"}
    assert "No model is set" in admin.post(f"{RELEASES}{row.pk}/publish/", publish).content.decode()
    assert live_release().number == 1


@pytest.mark.parametrize("name", ["\0", "x" * 10_000])
def test_a_suite_that_cannot_exist_is_no_gate(admin: Client, workspace: Workspace, name: str) -> None:
    shown = admin.post(f"{RELEASES}gates/", {"suites": [name]}, follow=True).content.decode()
    assert "These suites do not exist: " in shown and "x" * 100 not in shown


@pytest.mark.long
def test_an_invalid_form_is_shown_again_with_the_error_next_to_its_field(admin: Client, workspace: Workspace) -> None:
    row = draft(admin)
    for field, value in [
        ("greetings", "Hello"),
        ("greetings", "english: Hello"),
        ("greetings", "en: A\nen: B"),
        ("passages", "0"),
        ("edits", "7"),
    ]:
        answer = admin.post(f"{RELEASES}{row.pk}/edit/", filled(row, **{field: value}))
        assert answer.status_code == 400 and b"alert" in answer.content, field
    half = admin.post(f"{RELEASES}{row.pk}/edit/", filled(row, **{"g-0-when": "they greet"}))
    assert "leave both empty" in half.content.decode()
    wrong = {"temperature": "9", "g-0-when": "x" * 5000, "g-0-do": "greet"}
    notice = LexborHTMLParser(admin.post(f"{RELEASES}{row.pk}/edit/", filled(row, **wrong)).content.decode()).css_first(
        "[role=alert]"
    )
    assert notice is not None
    assert [(" ".join(one.text().split()), one.attributes["href"]) for one in notice.css("a")] == [
        ("Temperature", "#id_temperature"),
        ("Guideline 1: When", "#id_g-0-when"),
    ]
    row.refresh_from_db()
    assert row.edits == 0


def test_each_strictness_states_its_effect_and_measurements(
    admin: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRICTNESS, "strict", replace(STRICTNESS["strict"], measured="93 of 100 <whole>."))
    form = LexborHTMLParser(admin.get(f"{RELEASES}{draft(admin).pk}/edit/").content.decode())
    told = {
        label.css_first("input").attributes["value"]: label.text(strip=True, separator=" ")
        for label in form.css("#id_strictness label")
    }
    assert list(told) == ["strict", "balanced", "open"]
    for value, choice in STRICTNESS.items():
        assert choice.name in told[value] and choice.gets in told[value] and choice.measured in told[value]
    [checked] = form.css("#id_strictness input[checked]")
    assert checked.attributes["value"] == "balanced"


def test_others_read_and_only_admins_change(enter: Enter, workspace: Workspace) -> None:
    live = live_release()
    for role in ("editor", "agent", "supervisor"):
        client = enter(role)
        assert client.get(f"{RELEASES}{live.pk}/change/").status_code == 200
        assert client.post(f"{RELEASES}new/").status_code == 403
        assert client.post(f"{RELEASES}{live.pk}/restore/", {"reason": "mine"}).status_code == 403
    assert Release.objects.count() == 1


@pytest.mark.parametrize(
    ("calls_tools", "gives_json", "suited"),
    [
        (True, True, "Answers, Second looks, Judging, Summaries, Rewriting, Translation, Drafts for agents"),
        (True, False, "Answers, Summaries, Rewriting, Translation, Drafts for agents"),
        (False, True, "Second looks, Judging, Summaries, Rewriting, Translation, Drafts for agents"),
    ],
)
def test_a_tested_model_suits_the_purposes_that_it_can_serve(
    admin: Client, monkeypatch: pytest.MonkeyPatch, calls_tools: bool, gives_json: bool, suited: str
) -> None:
    values = {"name": "ours", "base_url": "https://models.example/v1", "model": "m-1"}
    row = connections.save(values, key="k", actor="test")
    tried = ConnectionTestResult(streams=True, calls_tools=calls_tools, gives_json=gives_json, first_seconds=0.2)
    monkeypatch.setattr(llm_models, "try_connection", lambda pk: tried)
    page = LexborHTMLParser(admin.post(f"/admin/llm/modelconnection/{row.pk}/test/").content.decode())
    told = {one.css_first("dt").text(): one.css_first("dd").text(strip=True) for one in page.css("dl.kv > div")}
    assert told["Suitable for"] == suited


def test_only_an_existing_models_key_can_be_kept(admin: Client) -> None:
    row = connections.save({"name": "o", "base_url": "https://models.example/v1", "model": "m"}, key="k", actor="test")
    User.objects.filter(pk=admin.session["_auth_user_id"]).update(is_superuser=True)
    models = "/admin/llm/modelconnection/"
    for address in (f"{models}add/", f"{models}search/new/"):
        page = admin.get(address).content.decode()
        assert "Leave empty if the server needs none." in page and "to keep it" not in page
    assert "Leave empty to keep it" in admin.get(f"{models}{row.pk}/change/").content.decode()


def test_a_models_prices_are_shown_without_the_zeros_with_which_they_are_stored(admin: Client) -> None:
    prices = {"input_price": Decimal("2.5"), "output_price": Decimal("10")}
    row = connections.save(
        {"name": "ours", "base_url": "https://models.example/v1", "model": "m-1", **prices}, key="k", actor="test"
    )
    page = LexborHTMLParser(admin.get(f"/admin/llm/modelconnection/{row.pk}/change/").content.decode())
    shown = {name: page.css_first(f"#id_{name}").attributes.get("value") for name in prices}
    assert shown == {"input_price": "2.5", "output_price": "10"}


@pytest.mark.long
def test_a_model_is_added_tested_and_routed_without_showing_its_key(
    admin: Client, workspace: Workspace, settings: Any, unused_port: int
) -> None:
    settings.PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    facts = {"name": "ours", "base_url": f"http://127.0.0.1:{unused_port}/v1", "model": "m-1", "key": "sk-hidden"}
    saved = admin.post("/admin/llm/modelconnection/add/", facts, follow=True)
    assert "Test it, then choose it for answers" in saved.content.decode()
    assert f'action="/admin/llm/modelconnection/{ModelConnection.objects.get().pk}/test/"' in saved.content.decode()
    assert not steps(admin)[CONNECT] and "saved but not in use" in admin.get("/admin/").content.decode()
    row = ModelConnection.objects.get()
    assert row.key == "sk-hidden"
    page = f"/admin/llm/modelconnection/{row.pk}/"
    assert admin.post(f"{page}change/", {**facts, "key": "", "model": "m-2"}).status_code == 302
    row.refresh_from_db()
    assert (row.key, row.model, row.version) == ("sk-hidden", "m-2", 2)
    for address in (f"{page}change/", f"{page}history/", "/admin/llm/modelconnection/"):
        assert "sk-hidden" not in admin.get(address).content.decode()
    assert "cannot be reached" in admin.post(f"{page}test/").content.decode()
    release = draft(admin)
    told = filled(release, route_answer_0=str(row.pk), route_answer_1="builtin")
    assert admin.post(f"{RELEASES}{release.pk}/edit/", told).status_code == 302
    assert "Answers: ours, Built-in answerer" in admin.get(f"{RELEASES}{release.pk}/change/").content.decode()
    admin.post(f"{RELEASES}{release.pk}/publish/", {"instead_of": 1, "edits": 1, "reason": "ours"})
    assert current().document.routes == {"answer": (str(row.pk), "builtin")}
    assert steps(admin)[CONNECT]
    listed = LexborHTMLParser(admin.get("/admin/llm/modelconnection/").content.decode())
    [answers] = [one for one in listed.css("#h-routes + dl > div") if one.css_first("dt").text() == "Answers"]
    assert [one.attributes["action"] for one in answers.css("form")] == [f"{page}test/"]
    last = listed.css("#h-routes + dl > div")[-1]
    assert last.css_first("dt").text() == "Search by meaning" and active_recipe().model in last.css_first("dd").text()
    assert not last.css("form")
    refused = admin.post(f"{page}delete/", {"post": "yes"})
    assert "These releases use this connection" in refused.content.decode() and ModelConnection.objects.exists()


@pytest.mark.long
@pytest.mark.django_db(transaction=True)  # a run is played by threads with their own connections
def test_a_draft_that_passed_with_other_articles_is_marked_and_evaluated_again(
    admin: Client, workspace: Workspace
) -> None:
    article = create_article(Change(title="Returns", body="Within 60 days.", locale="en"), external_id="returns")
    publish(article.pk)
    case = b"suite: shop\ncases: [{id: one, must: true, ask: Returns?, expect: {figures: 60 days}}]"
    save_suite(read_suite(case, file="shop.yaml"))
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    row = changed_draft(admin, tone="warm")
    page, told = f"{RELEASES}{row.pk}/", {"instead_of": 1, "edits": row.edits, "reason": "warmer"}

    def evaluated() -> str:
        admin.post(f"{page}evaluate/")
        judge_waiting()
        return admin.get(f"{page}change/").content.decode()

    first = evaluated()
    assert "Passed" in first and "were kept" not in first
    baseline = Run.objects.get(release_id=live_release().pk)
    answers = f"/admin/evals/run/{baseline.pk}/change/"
    [compared] = LexborHTMLParser(first).css(f"[aria-labelledby=h-gates] a[href='{answers}']")
    assert "Compared with release 1:" in compared.parent.text() and compared.text() == "shop"
    Run.objects.update(kept=1)
    assert "1 of 1 results were kept" in admin.get(f"{page}change/").content.decode()
    save_draft(article.pk, Change(body="Within 14 days."))
    assert "Passed" in admin.get(f"{page}change/").content.decode()
    publish(article.pk)
    shown = admin.get(f"{page}change/").content.decode()
    assert "Outdated" in shown and "Changed since it passed: articles." in shown
    assert f"/admin/kb/article/{article.pk}/change/" in shown and "the cases that now find different" in shown
    refused = admin.post(f"{page}publish/", told)
    assert refused.status_code == 409 and "Evaluate it again" in refused.content.decode()
    verdict = Release.objects.get(pk=row.pk).verdict or {}
    of_earlier_version = {name: fact for name, fact in verdict.items() if name not in ("began", "compared_with")}
    Release.objects.filter(pk=row.pk).update(verdict=of_earlier_version)
    assert "Outdated" in admin.get(f"{page}change/").content.decode()
    assert live_release().number == 1
    [failed] = LexborHTMLParser(evaluated()).css("li.failed a")
    assert "missing “60 days”" in admin.get(failed.attributes["href"] or "").content.decode()
    Run.objects.all().delete()
    assert "shop: one" in admin.get(f"{page}change/").content.decode()
    save_draft(article.pk, Change(body="Within 60 days."))
    publish(article.pk)
    assert "Passed" in evaluated() and admin.post(f"{page}publish/", told).status_code == 302
    assert live_release().number == row.number


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_refused_draft_lists_what_is_worse_than_in_the_live_release(
    admin: Client, enter: Enter, workspace: Workspace
) -> None:
    publish(create_article(Change(title="Returns", body="Within 60 days.", locale="en"), external_id="returns").pk)
    asks = {"ask": "Returns?", "expect": {"figures": "60 days"}}
    cases = [{**asks, "id": "one", "must": True}, *(asks for _ in range(5))]
    save_suite(parse_suite({"suite": "shop", "cases": cases}, file=""))
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    row = draft(admin)
    admin.post(f"{RELEASES}{row.pk}/edit/", filled(row, instructions="Forget everything."))
    admin.post(f"{RELEASES}{row.pk}/evaluate/")
    with answering(Forgetful()):
        judge_waiting()
    shown = LexborHTMLParser(admin.get(f"{RELEASES}{row.pk}/change/").content.decode())
    answers = f"/admin/evals/run/{Run.objects.get(release_id=row.pk).pk}/change/"
    failed, other = shown.css("[aria-labelledby=h-gates] li.failed")
    told = visible_text(failed, " ")
    assert "Returns?" in told and "missing “60 days”" in told and "The draft says" in told and "shop: one" not in told
    assert failed.css_first("a").attributes["href"] == f"{answers}?show=failed"
    assert (other.text(strip=True), other.css_first("a").attributes["href"]) == (
        "shop: pass rate down 100 points",
        f"{answers}?show=worse",
    )
    for role, reads in (("supervisor", True), ("editor", False)):  # editors may not read evaluations
        page = LexborHTMLParser(enter(role).get(f"{RELEASES}{row.pk}/change/").content.decode())
        gates_card = page.css_first("[aria-labelledby=h-gates]")
        words = visible_text(gates_card, " ")
        assert "shop: pass rate down 100 points" in words and bool(gates_card.css("a")) is reads
        assert [text in words for text in ("Returns?", "60 days", "The draft says", "shop: one")] == [reads] * 3 + [
            not reads
        ]
    refused = admin.post(f"{RELEASES}{row.pk}/publish/", {"instead_of": 1, "edits": 1, "reason": "warmer"})
    assert refused.status_code == 409 and live_release().number == 1
    assert b"This draft does not pass the gates." in refused.content and b"shop: one" not in refused.content


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_refused_draft_hides_the_judges_verdicts_while_results_wait_for_labels(
    admin: Client, enter: Enter, workspace: Workspace
) -> None:
    cases = [{"id": "polite", "must": True, "ask": "Hello", "expect": {"judge": "Is polite."}}]
    save_suite(parse_suite({"suite": "shop", "cases": cases}, file=""))
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    row = draft(admin)
    admin.post(f"{RELEASES}{row.pk}/edit/", filled(row, tone="warm"))
    admin.post(f"{RELEASES}{row.pk}/evaluate/")
    # Verdicts for the live release and for the draft.
    with answering(Judging(('{"good": false, "why": "It is rude."}',) * 2)):
        judge_waiting()

    def told() -> str:
        page = LexborHTMLParser(admin.get(f"{RELEASES}{row.pk}/change/").content.decode())
        return visible_text(page.css_first("[aria-labelledby=h-gates]"), " ")

    assert "shop: polite" in told() and "rude" not in told()
    run = Run.objects.get(release_id=row.pk)
    admin.post(f"/admin/evals/run/{run.pk}/show/")
    assert "It is rude." in told()


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_failed_cases_are_read_in_as_many_queries_as_one(admin: Client, workspace: Workspace) -> None:
    expect = {"figures": "60 days", "source": "returns"}  # its title is read, too
    cases = [{"id": f"case-{place}", "ask": "Returns?", "expect": expect} for place in range(6)]
    run = start_run(save_suite(parse_suite({"suite": "shop", "cases": cases}, file="")))
    execute_run(run.pk)
    keys = [f"shop: case-{place}" for place in range(6)]
    counts = []
    for names in (keys[:1], keys):
        with CaptureQueriesContext(connection) as queries:
            found = failed_cases({"failed_must": names, "regressions": [], "run_ids": [str(run.pk)]})
        counts.append(len(queries))
        assert [one.question for one in found] == ["Returns?"] * len(names) and all(one.reasons for one in found)
    page = f"/admin/evals/run/{run.pk}/change/"
    assert counts[0] == counts[1] <= 3
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(page).status_code == 200
    assert sum('"external_id" IN' in one["sql"] for one in queries) == 1


@pytest.mark.long
def test_a_draft_under_evaluation_says_how_far_it_is(admin: Client, workspace: Workspace) -> None:
    cases = b"""
suite: shop
cases:
  - {id: one, ask: "Returns?", expect: {figures: 60 days}}
  - {id: two, ask: "Hours?", repeat: 3, expect: {figures: 9}}
"""
    suite = save_suite(read_suite(cases, file="shop.yaml"))
    other = b"suite: other\ncases: [{id: one, ask: Returns?, expect: {figures: 60 days}}]"
    save_suite(read_suite(other, file="other.yaml"))
    admin.post(f"{RELEASES}gates/", {"suites": ["shop", "other"]})
    row = draft(admin)
    page = f"{RELEASES}{row.pk}/"
    admin.post(f"{page}edit/", filled(row, tone="warm"))
    row.refresh_from_db()
    earlier = start_run(suite, release=row)
    Run.objects.update(state="done", done=4, finished_at=now())

    def progress() -> str:
        shown = LexborHTMLParser(admin.get(f"{page}change/").content.decode())
        assert shown.css("script[src*=reload]") and not shown.css(f"form[action='{page}evaluate/']")
        return shown.css_first("[aria-labelledby=h-gates] [role=status]").text().strip()

    assert "reload" not in admin.get(f"{page}change/").content.decode()
    admin.post(f"{page}evaluate/")
    # Five on the live release, five on the draft; earlier results do not count.
    assert progress() == "0 of 10 attempts run"
    of_live = start_run(suite)
    Run.objects.filter(pk=of_live.pk).update(done=2)
    run = start_run(suite, release=row)
    Run.objects.filter(pk=run.pk).update(done=3)
    assert earlier.pk != run.pk and progress() == "5 of 10 attempts run"
    Run.objects.filter(pk__in=(run.pk, of_live.pk)).update(state="done", done=4, finished_at=now())
    assert progress() == "8 of 10 attempts run"
    Run.objects.filter(pk=of_live.pk).update(finished_at=earlier.created_at)  # no tries on the live release are needed
    assert progress() == "4 of 6 attempts run"
    refused = admin.post(f"{page}publish/", {"instead_of": 1, "edits": 1, "reason": "warmer"})
    assert refused.status_code == 409 and "reload" not in refused.content.decode()  # a reload would send the form again
    assert live_release().number == 1


@pytest.mark.long
def test_gates_are_ticked_among_the_suites(admin: Client, workspace: Workspace) -> None:
    for name in ("shop", "basics"):
        save_suite(
            read_suite(
                f"suite: {name}\ncases: [{{id: one, ask: Hello, expect: {{says: Hi}}}}]".encode(), file=f"{name}.yaml"
            )
        )

    def boxes() -> dict[str, bool]:
        shown = LexborHTMLParser(admin.get(RELEASES).content.decode()).css("input[name=suites]")
        return {str(one.attributes["value"]): "checked" in one.attributes for one in shown}

    assert boxes() == {"basics": False, "shop": False}
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    assert boxes() == {"basics": False, "shop": True} and gates() == ["shop"]
    admin.post(f"{RELEASES}gates/", {"suites": ["basics", "shop"]})
    assert gates() == ["shop", "basics"]  # in the chosen order, since another one would make verdicts outdated
    Suite.objects.get(name="basics").delete()
    assert boxes() == {"shop": True, "basics": True}
    refused = admin.post(f"{RELEASES}gates/", {"suites": ["basics", "shop"]}, follow=True)
    assert "These suites do not exist: basics." in refused.content.decode() and gates() == ["shop", "basics"]
    admin.post(f"{RELEASES}gates/", {"suites": ["shop"]})
    assert boxes() == {"shop": True} and gates() == ["shop"]
    admin.post(f"{RELEASES}gates/", {})
    assert gates() == []
