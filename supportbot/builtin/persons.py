"""Distinguishes requests for a person from questions about who is answering, and from all other messages.

"Can I talk to a person?" and "Am I talking to a person?" share most of their words. The first model only divides the
probability that the head in `intents.py` gives to both kinds together, so it changes nothing else. It is trained on the
rows in `data/persons.jsonl`, which are our own, and on the intents' rows of both kinds.

In "My jacket ripped, get me someone", the head mainly sees the problem. The second model knows only requests for a
person and all other messages. It is trained on these rows, on our own in `data/person_requests.jsonl`, and on all those
of the intents and complaints. `scripts/train_persons.py` trains both.
"""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from supportbot.language.classifiers import Ensemble, ensemble_in

FILE: Final = Path(__file__).parent / "data" / "persons.npz"
REQUESTS_FILE: Final = FILE.with_name("person_requests.npz")


@cache
def weights_shipped() -> Ensemble:
    """Return the weights that divide both kinds, read once per process; class 1 is requests for a person."""
    with np.load(FILE) as stored:
        return ensemble_in(stored)


@cache
def request_weights_shipped() -> Ensemble:
    """Return the weights that know all kinds of messages, read once per process; class 1 is requests for a person."""
    with np.load(REQUESTS_FILE) as stored:
        return ensemble_in(stored)
