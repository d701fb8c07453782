"""Repeated rounds of workers and sweeps."""

from collections.abc import Iterator

from django.db.models import Q

from actions.models import ActionRequest
from actions.states import FINAL, State


def rounds(most: int) -> Iterator[int]:
    """Yield the numbers of up to `most` rounds. Once all requests are final, or no check of an unknown one is planned,
    two more rounds show that this does not change: the second would carry out what the first had planned.
    """
    at_rest = Q(state__in=FINAL) | Q(state=State.UNKNOWN, due_at=None)
    resting = 0
    for number in range(most):
        resting = 0 if ActionRequest.objects.exclude(at_rest).exists() else resting + 1
        yield number
        if resting == 2:
            return
