"""One web process with a scripted model, for the modules of this folder."""

from collections.abc import Iterator

import pytest

from tests.flows.people import Visitor
from tests.flows.stack import Stack, Web, web


@pytest.fixture(scope="package")
def model_web(stack: Stack, model_settings: dict[str, str]) -> Iterator[Web]:
    with web(stack, **model_settings) as made:
        yield made


@pytest.fixture
def models_visitor(stack: Stack, model_web: Web) -> Visitor:
    return Visitor(stack, model_web.address)
