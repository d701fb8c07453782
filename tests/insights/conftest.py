"""Fixtures for findings that may need improvement."""

from typing import Any

import pytest
from django.test import Client

from supportbot.accounts.models import Workspace
from tests.console.conftest import logged_in, person


@pytest.fixture(autouse=True)
def fast_embedder(settings: Any) -> None:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"


@pytest.fixture
def editor(workspace: Workspace) -> Client:
    return logged_in(person(workspace, "editor"))
