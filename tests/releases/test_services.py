"""The life of a release, through the services: drafts, gates, publication, restoration."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils.timezone import now
from pytest_django.fixtures import Settings

from actions.models import ActionPolicy, AuditEntry
from actions.policy_store import ensure_policies, switch
from kb.models import Synonyms
from kb.phrasings import set_phrasings
from kb.services import Change, archive, create_article, save_draft
from kb.services import publish as publish_article
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import InvalidInput, NotAllowed
from supportbot.evals.services import save_suite
from supportbot.evals.suite_formats.own_format import parse_suite
from supportbot.llm import connections
from supportbot.outbox.models import Announcement
from supportbot.releases import evaluation, ports, services, tasks
from supportbot.releases.document import Document, stored
from supportbot.releases.errors import (
    AnotherWentLive,
    GateMissing,
    GateRefused,
    NoGates,
    NoSuchRelease,
    NotADraft,
    NotEvaluated,
    NothingChanged,
    NothingToRestore,
    NotProven,
    ReleaseChanged,
    VerdictOutdated,
)
from supportbot.releases.evaluation import claim_waiting, extend_claim
from supportbot.releases.models import Release
from supportbot.releases.ports import Verdict
from supportbot.releases.selectors import current, gates, live_release, release_with_id, using

pytestmark = pytest.mark.django_db
State = Release.State


class Judge:
    """A stand-in for the gates: it refuses a release with this tone, and reports unlisted suites as missing."""

    def __init__(self) -> None:
        self.suites = {"demo"}
        self.refuses = "rude"
        self.judged: list[int] = []

    def __call__(self, workspace: Workspace, release: Release, suites: Sequence[str]) -> Verdict:
        for suite in suites:
            if suite not in self.suites:
                raise GateMissing(f"The suite {suite} does not exist.")
        self.judged.append(release.number)
        with using(release):
            is_rude = current().document.tone == self.refuses
        return Verdict(passed=not is_rude, failed_must=("demo: greets",) if is_rude else ())


judge = Judge()


def missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in judge.suites]


@pytest.fixture
def gated(workspace: Workspace, ada: Staff, settings: Settings) -> Judge:
    """The suite `demo` is a gate."""
    settings.RELEASES_GATE = "tests.releases.test_services.judge"
    settings.RELEASES_MISSING_SUITES = "tests.releases.test_services.missing"
    judge.__init__()  # type: ignore[misc]  # as new
    services.name_gates(["demo"], person=ada)
    return judge


def draft(ada: Staff, **document: object) -> Release:
    return services.create_draft(person=ada, document=document)


def published(row: Release, ada: Staff, **more: str) -> Release:
    return services.publish(row.pk, person=ada, instead_of=live_release().number, reason="because", **more)


def test_the_first_release_is_created_from_the_workspaces_settings(workspace: Workspace) -> None:
    Workspace.objects.update(answer_strictness="strict")
    first = live_release()
    assert (first.number, first.state, current().document) == (1, "live", Document(strictness="strict"))
    assert live_release().pk == first.pk and Release.objects.count() == 1


def test_a_draft_goes_live_and_the_previous_release_never_changes(ada: Staff) -> None:
    first = live_release()
    new = draft(ada, tone="warm", guidelines=[{"when": "they greet", "do": "greet back"}])
    assert new.contents.guidelines[0].author == "Ada" and current().number == first.number
    published(new, ada)
    first.refresh_from_db()
    assert (first.state, current().number, current().document.tone) == ("replaced", new.number, "warm")
    assert set(new.__class__.objects.get(pk=new.pk).references) == {
        "policies",
        "actions",
        "knowledge",
        "suites",
        "models",
        "product",
    }
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.payload["reason"], entry.actor) == ("release.published", "because", ada.actor)
    with pytest.raises(NotADraft):
        services.change_draft(new.pk, {"tone": "cold"}, person=ada)
    with pytest.raises(NotADraft):
        services.discard(new.pk)
    for row in (first, new):
        with pytest.raises(DatabaseError), transaction.atomic():
            Release.objects.filter(pk=row.pk).update(document=stored(Document(tone="cold")))


def test_one_of_two_publications_succeeds_and_the_other_is_refused(ada: Staff) -> None:
    seen = live_release().number
    one, other = draft(ada, tone="warm"), draft(ada, tone="cool")
    services.publish(one.pk, person=ada, instead_of=seen, reason="first")
    with pytest.raises(AnotherWentLive):
        services.publish(other.pk, person=ada, instead_of=seen, reason="second")
    assert current().document.tone == "warm" and release_with_id(other.pk).is_draft


def test_the_second_of_two_changes_to_a_draft_is_refused(ada: Staff) -> None:
    row = draft(ada)
    services.change_draft(row.pk, {"tone": "warm"}, person=ada, edits=0)
    with pytest.raises(ReleaseChanged):
        services.change_draft(row.pk, {"tone": "cool"}, person=ada, edits=0)
    with pytest.raises(ReleaseChanged):
        services.publish(row.pk, person=ada, instead_of=1, reason="as I saw it", edits=0)
    assert release_with_id(row.pk).contents.tone == "warm"


def test_a_proven_release_is_restored_at_once_and_the_gates_run_afterwards(ada: Staff, gated: Judge) -> None:
    kind, warm = draft(ada, tone="kind"), draft(ada, tone="warm")
    for row in (kind, warm):
        evaluation.evaluate(row.pk)
        published(row, ada, override="compared with another one" if row is warm else "")
    with pytest.raises(NothingToRestore):
        services.restore(warm.pk, person=ada, instead_of=warm.number, reason="no")
    with pytest.raises(AnotherWentLive):
        services.restore(kind.pk, person=ada, instead_of=kind.number, reason="late")
    with pytest.raises(InvalidInput):
        services.restore(kind.pk, person=ada, instead_of=warm.number, reason=" ")
    assert current().number == warm.number
    judged = list(gated.judged)
    without_override = replace(ada, scopes=ada.scopes - {services.OVERRIDE})
    restored = services.restore(kind.pk, person=without_override, instead_of=warm.number, reason="too warm")
    assert (restored.restores, restored.contents, current().id) == (kind.number, kind.contents, restored.pk)
    assert gated.judged == judged
    announced = Announcement.objects.filter(topic="release_restored").values_list("object_id", "workspace_id")
    assert list(announced) == [(restored.pk, restored.workspace_pk)]
    entry = AuditEntry.objects.get(event="release.restored")
    assert (entry.payload["reason"], entry.actor) == ("too warm", ada.actor)
    # The restored release is proven, too.
    again = draft(ada, tone="cool")
    evaluation.evaluate(again.pk)
    published(again, ada)
    services.restore(restored.pk, person=without_override, instead_of=again.number, reason="too cool")
    assert current().document.tone == "kind"


def test_a_release_that_the_gates_never_passed_is_restored_only_with_a_reason_and_the_right(
    ada: Staff, gated: Judge
) -> None:
    first, row = live_release(), draft(ada, tone="kind")
    evaluation.evaluate(row.pk)
    published(row, ada)
    without_override = replace(ada, scopes=ada.scopes - {services.OVERRIDE})
    for person, override, refusal in (
        (ada, "", NotProven),
        (ada, "  ", NotProven),
        (without_override, "It was fine", NotAllowed),
    ):
        with pytest.raises(refusal):
            services.restore(first.pk, person=person, instead_of=row.number, reason="back", override=override)
        assert current().number == row.number and Release.objects.count() == 2
    restored = services.restore(first.pk, person=ada, instead_of=row.number, reason="back", override="It was fine")
    assert (current().id, restored.override_reason) == (restored.pk, "It was fine")
    assert AuditEntry.objects.get(event="release.restored_against_gates").payload["override"] == "It was fine"


def test_with_a_newer_gate_an_older_release_is_unproven(ada: Staff, gated: Judge) -> None:
    kind, warm = draft(ada, tone="kind"), draft(ada, tone="warm")
    evaluation.evaluate(kind.pk)
    published(kind, ada)
    evaluation.evaluate(warm.pk)
    published(warm, ada)
    gated.suites.add("security")
    services.name_gates(["demo", "security"], person=ada)
    with pytest.raises(NotProven):
        services.restore(kind.pk, person=ada, instead_of=warm.number, reason="back")
    services.name_gates([], person=ada)
    assert services.restore(kind.pk, person=ada, instead_of=warm.number, reason="back").state == State.LIVE


def test_a_release_stays_proven_when_a_later_version_has_more_fields(ada: Staff, gated: Judge) -> None:
    kind, warm = draft(ada, tone="kind"), draft(ada, tone="warm")
    evaluation.evaluate(kind.pk)
    kind.refresh_from_db()
    older = {name: value for name, value in kind.document.items() if name not in ("routes", "parameters")}
    text = json.dumps(older, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # The digest of the document as it was stored, without the newer fields.
    of_older = {**kind.verdict, "digest": hashlib.sha256(text.encode()).hexdigest()}
    Release.objects.filter(pk=kind.pk).update(document=older, verdict=of_older)
    published(kind, ada)
    evaluation.evaluate(warm.pk)
    published(warm, ada)
    assert evaluation.is_proven(release_with_id(kind.pk))
    assert services.restore(kind.pk, person=ada, instead_of=warm.number, reason="back").state == State.LIVE


def test_after_a_gates_cases_changed_an_older_release_is_unproven(ada: Staff, gated: Judge) -> None:
    case = {"id": "one", "ask": "Returns?", "expect": {"figures": "60 days"}}
    save_suite(parse_suite({"suite": "demo", "cases": [case]}, file=""))
    kind, warm = draft(ada, tone="kind"), draft(ada, tone="warm")
    for row in (kind, warm):
        evaluation.evaluate(row.pk)
        published(row, ada, override="compared with another one" if row is warm else "")
    assert evaluation.is_proven(release_with_id(kind.pk))
    save_suite(parse_suite({"suite": "demo", "cases": [{**case, "expect": {"figures": "30 days"}}]}, file=""))
    with pytest.raises(NotProven):
        services.restore(kind.pk, person=ada, instead_of=warm.number, reason="back")
    assert current().number == warm.number


def test_a_release_that_was_published_despite_the_gates_is_not_proven(ada: Staff, gated: Judge) -> None:
    kind, warm = draft(ada, tone="kind"), draft(ada, tone="warm")
    for row in (kind, warm):
        evaluation.evaluate(row.pk)
    published(kind, ada)
    published(warm, ada, override="compared with another one")  # it passed, but the verdict was outdated
    cool = draft(ada, tone="cool")
    evaluation.evaluate(cool.pk)
    published(cool, ada)
    with pytest.raises(NotProven):
        services.restore(warm.pk, person=ada, instead_of=cool.number, reason="back")
    assert current().number == cool.number


def test_a_worker_keeps_its_claim_on_an_evaluation_until_it_dies(ada: Staff, gated: Judge) -> None:
    row = draft(ada, tone="kind")
    evaluation.request_evaluation(row.pk)
    claim = claim_waiting()
    assert claim is not None and claim_waiting() is None
    Release.objects.filter(pk=row.pk).update(judging_until=claim.until - timedelta(seconds=50))  # as time passes
    claim.until -= timedelta(seconds=50)
    before = claim.until
    extend_claim(claim)
    assert claim.until == release_with_id(row.pk).judging_until and claim.until > before
    gone = now() - timedelta(seconds=1)
    Release.objects.filter(pk=row.pk).update(judging_until=gone)  # the claim was not extended for a minute
    other = claim_waiting()
    assert other is not None and other.release_id == row.pk
    extend_claim(claim)  # too late, since another worker has claimed the draft
    assert release_with_id(row.pk).judging_until == other.until


def test_a_draft_that_went_live_during_its_evaluation_no_longer_waits_for_a_worker(ada: Staff, gated: Judge) -> None:
    row = draft(ada, tone="kind")
    evaluation.request_evaluation(row.pk)
    claim = claim_waiting()
    assert claim is not None
    published(row, ada, override="cannot wait")
    extend_claim(claim)
    assert claim_waiting() is None and release_with_id(row.pk).judging_since is None


def test_a_draft_equal_to_the_live_release_is_neither_evaluated_nor_published(ada: Staff, gated: Judge) -> None:
    row = services.create_draft(person=ada)
    with pytest.raises(NothingChanged):
        evaluation.request_evaluation(row.pk)
    with pytest.raises(NothingChanged):
        published(row, ada, override="to be sure")
    assert gated.judged == [] and release_with_id(row.pk).judging_since is None
    services.change_draft(row.pk, {"tone": "kind"}, person=ada)
    assert evaluation.request_evaluation(row.pk).judging_since is not None


def test_only_a_release_that_passed_the_gates_is_published(ada: Staff, gated: Judge) -> None:
    row = draft(ada, tone="rude")
    with pytest.raises(NotEvaluated):
        published(row, ada)
    evaluation.request_evaluation(row.pk)
    tasks.judge_waiting()
    with pytest.raises(GateRefused, match="demo: greets"):
        published(row, ada)
    services.change_draft(row.pk, {"tone": "kind"}, person=ada)
    with pytest.raises(NotEvaluated):  # the verdict was about another text
        published(row, ada)
    evaluation.request_evaluation(row.pk)
    tasks.judge_waiting()
    tasks.judge_waiting()  # nothing is waiting
    assert release_with_id(row.pk).state == State.EVALUATED and gated.judged == [row.number] * 2
    assert published(row, ada).state == State.LIVE


@pytest.mark.one_in(3)
@pytest.mark.parametrize("changed", ["text", "readers", "questions", "archived", "synonyms", "rules"])
def test_changes_after_a_release_passed_the_gates_require_a_new_evaluation(
    ada: Staff, gated: Judge, changed: str
) -> None:
    article = create_article(Change(title="Returns", body="Within 60 days."), external_id="returns")
    publish_article(article.pk)
    ensure_policies()
    row = draft(ada, tone="kind")
    evaluation.evaluate(row.pk)
    save_draft(article.pk, Change(body="Within 14 days."))  # nobody has read it yet
    create_article(Change(title="Another", body="A draft."), external_id="another")
    assert evaluation.changed_since(release_with_id(row.pk), release_with_id(row.pk).verdict or {}) == []
    match changed:
        case "text":
            publish_article(article.pk)
        case "readers":
            save_draft(article.pk, Change(audience="signed_in"))
        case "questions":
            set_phrasings(article, ["Can I return it?"])
        case "archived":
            archive(article.pk)
        case "synonyms":
            Synonyms.objects.create(words=["sofa", "couch"])
        case "rules":
            switch(ActionPolicy.objects.all()[0], is_enabled=False, actor="test")
    with pytest.raises(VerdictOutdated):
        published(row, ada)
    assert release_with_id(row.pk).is_draft and current().number == 1
    evaluation.evaluate(row.pk)
    assert published(row, ada).state == State.LIVE and len(gated.judged) == 2


def test_changes_during_an_evaluation_count_as_changes(
    ada: Staff, gated: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = create_article(Change(title="Returns", body="Within 60 days."), external_id="returns")
    row = draft(ada, tone="kind")

    def slowly(*args: object) -> Verdict:
        publish_article(article.pk)
        return Verdict(passed=True)

    monkeypatch.setattr(ports, "judge", lambda: slowly)
    evaluation.evaluate(row.pk)
    with pytest.raises(VerdictOutdated):
        published(row, ada)
    assert release_with_id(row.pk).is_draft


def test_an_override_needs_the_right_and_a_reason_and_is_audited(ada: Staff, gated: Judge) -> None:
    row = draft(ada, tone="rude")
    evaluation.evaluate(row.pk)
    with pytest.raises(NotAllowed):
        published(row, replace(ada, scopes=ada.scopes - {services.OVERRIDE}), override="I know better")
    with pytest.raises(GateRefused):
        published(row, ada, override="  ")
    assert current().number == 1
    published(row, ada, override="the case is wrong")
    entry = AuditEntry.objects.get(event="release.published_against_gates")
    assert entry.payload["override"] == "the case is wrong"


def test_a_deleted_gate_stops_the_evaluation_with_a_message(ada: Staff, gated: Judge) -> None:
    row = draft(ada, tone="kind")
    gated.suites.clear()
    evaluation.request_evaluation(row.pk)
    tasks.judge_waiting()
    assert "The suite demo does not exist" in release_with_id(row.pk).judging_problem
    with pytest.raises(GateMissing, match=r"were deleted: demo\. Choose the gates again"):
        published(row, ada)
    gated.suites.add("demo")
    evaluation.evaluate(row.pk)
    gated.suites.clear()  # after it was judged
    with pytest.raises(GateMissing, match="were deleted: demo"):
        published(row, ada)
    assert current().number == 1


def test_a_missing_suite_cannot_be_a_gate(ada: Staff, gated: Judge) -> None:
    with pytest.raises(InvalidInput) as refusal:
        services.name_gates(["demo", "typo"], person=ada)
    assert refusal.value.fields["suites"] == [
        "These suites do not exist: typo. Create or import them under Evaluations first."
    ]
    assert gates() == ["demo"]


def test_without_a_judge_no_gate_can_be_named(ada: Staff, settings: Settings) -> None:
    settings.RELEASES_GATE = ""
    with pytest.raises(NoGates):
        services.name_gates(["demo"], person=ada)
    assert gates() == []


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"strictness": "lax"}, "strictness"),
        ({"passages": 0}, "passages"),
        ({"tone": "a\0b"}, "tone"),
        ({"rules": 5}, "rules"),
        ({"guidelines": [{"when": "always"}]}, "guidelines"),
        ({"guidelines": [{"when": "a", "do": "b", "asker": "nobody"}]}, "guidelines"),
        ({"greetings": {"english": "Hello"}}, "greetings"),
        ({"greetings": {"en": "Hello {name"}}, "greetings"),
        ({"routes": {"embed": ["x"]}}, "routes"),
        ({"routes": {"answer": ["x", "x"]}}, "routes"),
        ({"parameters": {"answer": {"temperature": 3}}}, "parameters"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_invalid_document_is_refused_at_its_field(ada: Staff, document: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        draft(ada, **document)
    assert list(refusal.value.fields) == [field]


def test_a_release_of_another_workspace_does_not_exist(ada: Staff, other_workspace: Workspace) -> None:
    with workspace_scope(other_workspace.pk):
        theirs = live_release()
    for act in (release_with_id, evaluation.evaluate, services.discard, evaluation.request_evaluation):
        with pytest.raises((NoSuchRelease, NoGates)):
            act(theirs.pk)
    with pytest.raises(NoSuchRelease):
        services.publish(theirs.pk, person=ada, instead_of=1, reason="mine")


def test_a_release_compared_with_a_former_live_release_is_evaluated_again(ada: Staff, gated: Judge) -> None:
    first, row, other = live_release(), draft(ada, tone="kind"), draft(ada, tone="warm")
    for one in (row, other):
        evaluation.evaluate(one.pk)
    published(other, ada)
    verdict = release_with_id(row.pk).verdict or {}
    assert evaluation.changed_since(release_with_id(row.pk), verdict) == ["live"]
    with pytest.raises(VerdictOutdated):
        published(row, ada)
    assert current().number == other.number and release_with_id(row.pk).is_draft
    # The same content as before.
    services.restore(first.pk, person=ada, instead_of=other.number, reason="back", override="known to be good")
    assert evaluation.changed_since(release_with_id(row.pk), verdict) == []
    assert published(row, ada).state == State.LIVE


@pytest.mark.parametrize(
    ("changes", "is_outdated"),
    [({"model": "smaller"}, True), ({"temperature": 1.5}, True), ({"name": "Renamed"}, False), ({}, False)],
)
def test_a_changed_connection_in_a_releases_routes_requires_a_new_evaluation(
    ada: Staff, gated: Judge, changes: dict[str, object], is_outdated: bool
) -> None:
    values = {"name": "Reader", "base_url": "https://models.example/v1", "model": "reader"}
    used, unused = (connections.save({**values, "name": name}, key="k", actor="test") for name in ("Reader", "Another"))
    row = draft(ada, routes={"answer": [str(used.pk)]})
    evaluation.evaluate(row.pk)
    connections.save({**values, "name": "Another", "model": "x"}, key="", actor="test", connection_id=unused.pk)
    connections.save({**values, **changes}, key="another", actor="test", connection_id=used.pk)
    assert evaluation.changed_since(release_with_id(row.pk), release_with_id(row.pk).verdict or {}) == (
        ["models"] if is_outdated else []
    )
    if is_outdated:
        with pytest.raises(VerdictOutdated):
            published(row, ada)
    else:
        assert published(row, ada).state == State.LIVE
