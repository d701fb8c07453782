#!/usr/bin/env python3
"""Recompute the figures of the console's overview from the REST export, without any code of SupportBot.

    scripts/recompute_overview.py https://support.example.com KEY 2026-11-15 2026-11-29

The key needs the scopes `conversations:read` and, for costs, `costs:read`. Dates are in the workspace's time zone; the
second is the day after the last. Alternatively, give a file with the rows: `recompute_overview.py rows.json`.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen


def rows_from(base: str, key: str, since: str, until: str) -> list[dict]:
    page, rows = f"{base}/api/v1/outcomes?limit=200&since={quote(since)}&until={quote(until)}", []
    while page:
        with urlopen(Request(page, headers={"Authorization": f"Bearer {key}"})) as answer:
            found = json.load(answer)
        rows, page = rows + found["results"], found["next"]
    return rows


def percentile(values: list[float], share: float) -> float | None:
    values = sorted(values)
    place = (len(values) - 1) * share
    low, high = int(place), min(int(place) + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low) if values else None


def figures(rows: list[dict]) -> dict:
    ended = Counter(row["ending"] for row in rows)
    alone, lost = ended["confirmed"] + ended["silent"], ended["reopened"] + ended["recontact"] + ended["abandoned"]
    scores = [score for row in rows for score in row["assistant_scores"] + row["person_scores"]]
    well = [row["resolution_seconds"] for row in rows if row["ending"] in ("confirmed", "silent", "person")]
    first = [row["first_response_seconds"] for row in rows if row["first_response_seconds"] is not None]
    waits = [wait for row in rows for wait in row["waits_seconds"]]
    cost = Counter()
    for row in rows:
        cost.update({currency: float(amount) for currency, amount in (row["costs"] or {}).items()})
    share = lambda part, whole: 100 * part / whole if whole else None  # noqa: E731
    return {
        "conversations": len(rows),
        "endings": dict(ended),
        "by_day": dict(Counter(row["day"] for row in rows)),
        "solved_by_the_assistant": share(alone, len(rows)),
        "not_solved": share(lost, len(rows)),
        "time_to_resolution": percentile([one for one in well if one is not None], 0.5),
        "first_response": percentile(first, 0.5),
        "waited_for_a_person": percentile(waits, 0.5),
        "satisfied": share(sum(score >= 4 for score in scores), len(scores)),
        "cost_of_a_conversation": {currency: spent / len(rows) for currency, spent in cost.items()},
        "cost_of_a_solved_one": {currency: spent / alone for currency, spent in cost.items()} if alone else {},
    }


if __name__ == "__main__":
    given = sys.argv[1:]
    found = json.loads(Path(given[0]).read_text()) if len(given) == 1 else rows_from(*given)
    sys.stdout.write(json.dumps(figures(found), indent=2) + "\n")
