"""Separate servers for deployments, as an operator has them: an empty database and a Valkey."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

NAME = "deployed"


@pytest.fixture
def database_url() -> Iterator[str]:
    parts = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS supportbot_app")
        connection.execute(f"CREATE DATABASE {NAME}")
        yield urlunsplit(parts._replace(path=f"/{NAME}"))
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
