"""Callers of the REST API, by their credential."""

from typing import Any

import jwt
from django.utils.timezone import now
from rest_framework.test import APIClient

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import ROLE_SCOPES

LIFE_SECONDS = 600


def caller(credential: str) -> APIClient:
    """Return a client that sends this bearer credential; server errors are responses, not exceptions."""
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {credential}")
    return client


def person(workspace: Workspace, user: User, *, role: str = "agent", **key: Any) -> APIClient:
    """Return a client with a key that acts as this person, with the scopes of a role."""
    return caller(issue_api_key(workspace, "test", scopes=sorted(ROLE_SCOPES[role]), user=user, **key).plain)


def service(workspace: Workspace, *scopes: str) -> APIClient:
    """Return a client with a service key, which acts as nobody."""
    return caller(issue_api_key(workspace, "service", scopes=scopes).plain)


def signed_in(new: NewChannel, customer: Customer, **claims: Any) -> APIClient:
    """Return a client with the identity token that the merchant's server would sign."""
    assert customer.external_id is not None
    return caller(identity_token(new.channel.key, new.identity_secret, customer.external_id, **claims))


def identity_token(channel_key: str, secret: str, subject: str, **claims: Any) -> str:
    issued = int(now().timestamp())
    token = {"sub": subject, "aud": channel_key, "iat": issued, "exp": issued + LIFE_SECONDS, **claims}
    return jwt.encode(token, secret, algorithm="HS256")
