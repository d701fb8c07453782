"""Separate servers for deployments, as an operator has them: an empty database and a Valkey."""

from collections.abc import Iterator

import psycopg
import pytest

from supportbot.embedded.servers.postgres import PostgresServer

NAME = "deployed"


@pytest.fixture
def database_url(deployment_server: PostgresServer) -> Iterator[str]:
    with psycopg.connect(deployment_server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS supportbot_app")
        connection.execute(f"CREATE DATABASE {NAME}")
        yield deployment_server.url(NAME)
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
