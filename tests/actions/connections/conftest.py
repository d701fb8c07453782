from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actions.connections import services
from actions.connections.models import Connection
from supportbot.accounts.models import Workspace
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.connections.fake_api import FakeApi, fake_api

WEBHOOK_SECRET = "whsec_dGhlIHNlY3JldCBvZiBhIGNvbm5lY3Rpb24="
SECRETS = {
    "bearer": "tok-1",
    "basic": "pass:word \u00e4",
    "header": "key-1",
    "hmac": "shared",
    "standard_webhooks": WEBHOOK_SECRET,
    "oauth_client_credentials": "s3cret&x",
}


@pytest.fixture
def api(settings: Any) -> Iterator[FakeApi]:
    settings.PRIVATE_NETWORKS = LOOPBACK
    with fake_api() as made:
        yield made


@pytest.fixture
def connect(workspace: Workspace, api: FakeApi) -> Callable[..., Connection]:
    """Return a function that connects the workspace to the API, with a secret that fits the kind of authentication."""

    def make(auth: str = "none", name: str = "shop", **more: Any) -> Connection:
        settings = more.pop("settings", {})
        if auth == "basic":
            settings = {"username": "us\u00e9r", **settings}
        if auth == "oauth_client_credentials":
            settings = {"token_url": f"{api.url}/token", "client_id": "client:1", **settings}
        given = {"base_url": f"{api.url}/v1", "secret": SECRETS.get(auth, ""), **more}
        return services.create(services.Draft(name, auth=auth, settings=settings, **given), actor="test")

    return make
