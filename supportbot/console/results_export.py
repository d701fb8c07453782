"""The export of Results: a CSV file with one row for each conversation."""

import csv
from typing import Any

from django.http import HttpRequest, HttpResponse

from supportbot.console.conversation_figures import asked_span, outcomes_of, span_of
from supportbot.console.permissions import may
from supportbot.console.request_context import needs
from supportbot.insights.conversation_rows import COLUMNS, row_of


def results_as_csv(request: HttpRequest) -> HttpResponse:
    """Send the conversations of the last days, one per row, as CSV."""
    person = needs(request, "conversations:read")
    span = span_of(asked_span(request))
    sees_cost = may(person, "costs:read")
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"conversations-{span.days[-1]}-{len(span.days)}-days.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    sheet = csv.writer(answer)
    sheet.writerow(COLUMNS)
    for row in outcomes_of(span):
        sheet.writerow([_cell(value) for value in row_of(row, sees_cost=sees_cost).values()])
    return answer


def _cell(value: Any) -> Any:
    """Return a value as a cell; lists become words, and no text begins like a spreadsheet formula."""
    if isinstance(value, dict):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items())
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
