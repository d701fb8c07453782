"""The page for a release's shadow replay: start it, watch it, and see which customers' questions would get different
answers.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from supportbot.chat.answers import Withheld
from supportbot.console.display import error_text, tag
from supportbot.console.permissions import may
from supportbot.console.releases.pages import REPLAY, title_of
from supportbot.console.request_context import needs, person_of, staff
from supportbot.errors import SupportBotError
from supportbot.evals.models import Replay, ReplayedQuestion
from supportbot.evals.replays import replay_worker
from supportbot.evals.replays.shadow_replay import KINDS, MOST_DAYS, MOST_QUESTIONS, rank
from supportbot.evals.result_texts import interruption
from supportbot.evals.runs.case_outcomes import CaseTry, Reply, played_from
from supportbot.handoff.desk.assistant_activity import confirmation_of, withheld_sentences
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, release_with_id

PLAY: Final = "evals:write"
PER_PAGE: Final = 50
LOOK_AGAIN_SECONDS: Final = 4
DAYS, QUESTIONS = 7, 100
WORDS: Final = {
    "lost_answer": ("bad", gettext_noop("No longer answered")),
    "action": ("bad", gettext_noop("Different action")),
    "handed_over": ("warn", gettext_noop("Handoff")),
    "figures": ("warn", gettext_noop("Different figures")),
    "sources": ("info", gettext_noop("Different sources")),
    "gained_answer": ("ok", gettext_noop("Answered now")),
    "words": ("", gettext_noop("Different wording")),
}
# Filters in addition to the one for all differences and those for each kind of difference.
REST: Final = {"same": gettext_noop("Same"), "unplayed": gettext_noop("Could not be asked")}


def replay_page(request: HttpRequest, release_id: UUID) -> HttpResponse:
    """Show a release's newest replay, whether or not it is finished. A POST starts, cancels or continues one."""
    for right in REPLAY:
        needs(request, right)
    release = release_with_id(release_id)
    if request.method != "POST":
        return _page(request, release)
    needs(request, PLAY)
    try:
        _change(request, release)
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
    return redirect("admin:release-replay", release.pk)


def _change(request: HttpRequest, release: Release) -> None:
    newest, do = replay_worker.newest_replay(release), request.POST.get("do", "")
    if do == "begin":
        days, most = (_number(request.POST.get(name, "")) for name in ("days", "most"))
        replay_worker.begin(release, days=days, most=most, person=person_of(request))
    elif newest is not None and do == "cancel":
        replay_worker.cancel(newest.pk)
    elif newest is not None and do == "continue":
        replay_worker.resume(newest.pk)


def _number(text: str) -> int:
    """Return the typed number. If it is not a number, return 0, which will be refused."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _page(request: HttpRequest, release: Release) -> HttpResponse:
    replay, person = replay_worker.newest_replay(release), staff(request)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": gettext("Replay of customers’ questions"),
        "release": release,
        "release_title": title_of(release),
        "replay": replay,
        "live": live_release(),
        "may_play": may(person, PLAY),
        "may_begin": release.state != Release.State.LIVE and not (replay and replay.is_open),
        "days": replay.days if replay else DAYS,
        "most": replay.most if replay else QUESTIONS,
        "most_days": MOST_DAYS,
        "most_questions": MOST_QUESTIONS,
    }
    if replay is not None:
        context |= _found(request, replay, release)
    response = render(request, "console/releases/replay.html", context)
    if replay is not None and replay.state in (Replay.State.WAITING, Replay.State.RUNNING):
        response["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return response


def _found(request: HttpRequest, replay: Replay, release: Release) -> dict[str, Any]:
    questions = ReplayedQuestion.objects.filter(replay=replay)
    facts = questions.values_list("pk", "kinds", "is_unplayed", "times", named=True)
    rows = list(facts.order_by("position"))
    played = [row for row in rows if row.kinds is not None]
    groups = {"different": sorted((row for row in played if row.kinds), key=_weight)}
    groups |= {kind: [row for row in groups["different"] if kind in (row.kinds or ())] for kind in KINDS}
    groups["same"] = [row for row in played if not row.kinds and not row.is_unplayed]
    groups["unplayed"] = [row for row in played if row.is_unplayed]
    shown = request.GET.get("show", "different")
    chosen = groups.get(shown, [])
    page = max(1, _number(request.GET.get("page", "1")))
    part = [row.pk for row in chosen[(page - 1) * PER_PAGE : page * PER_PAGE]]
    full = ReplayedQuestion.objects.in_bulk(part)
    return {
        "total": len(rows),
        "played": len(played),
        "different": len(groups["different"]),
        "unplayed": len(groups["unplayed"]),
        "is_changed": not release.is_about(replay.release_digest),
        "why_stopped": interruption(replay.problem) if replay.problem else "",
        "filters": _filters({name: len(found) for name, found in groups.items()}),
        "shown": shown,
        "rows": [_row(full[pk], replay) for pk in part if pk in full],
        "page": page,
        "pages": range(1, (len(chosen) + PER_PAGE - 1) // PER_PAGE + 1) if len(chosen) > PER_PAGE else [],
    }


def _weight(row: Any) -> tuple[int, int]:
    """Return the sort key of a difference: the worst come first, then those with the most frequent questions."""
    return rank(row.kinds or ()), -row.times


def _filters(counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Return the filters with their counts. Kinds without rows are left out."""
    named = {"different": gettext("All differences")}
    named |= {kind: gettext(words) for kind, (_, words) in WORDS.items()}
    named |= {name: gettext(words) for name, words in REST.items()}
    return [(name, words, counts[name]) for name, words in named.items() if counts[name] or name == "different"]


def _row(row: ReplayedQuestion, replay: Replay) -> dict[str, Any]:
    released = gettext("Release {number}")
    before, after = played_from(row.before or {"replies": ()}), played_from(row.after or {"replies": ()})
    return {
        "question": row.question,
        "times": row.times,
        "tags": [_tag(kind) for kind in row.kinds or ()],
        "answers": [
            _answer(released.format(number=replay.live_number), before),
            _answer(released.format(number=replay.release_number), after),
        ],
    }


def _tag(kind: str) -> SafeString:
    colour, words = WORDS[kind]
    return tag(colour, gettext(words))


def _answer(label: str, played: CaseTry) -> dict[str, Any]:
    return {"label": label, "played": played, "checks": [_checks(one) for one in played.replies]}


def _checks(reply: Reply) -> dict[str, Any]:
    """Return what the checks found in an answer."""
    withheld = [Withheld(one["code"], one["text"], one.get("score")) for one in reply.withheld]
    return {
        "verdict": confirmation_of(reply.is_confirmed),
        "withheld": withheld_sentences(withheld),
        "support": reply.support,
        "is_abstention": reply.is_abstention,
    }
