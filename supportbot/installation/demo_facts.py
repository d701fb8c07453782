"""What `demo_seed --json` reports. `up` reads it from the command's output, so neither package imports the other."""

from typing import NotRequired, TypedDict


class DemoUser(TypedDict):
    role: str
    username: str
    password: str | None


class DemoFacts(TypedDict):
    """The output of `demo_seed --json`."""

    workspace: str
    channel: str
    api_key: str
    users: list[DemoUser]
    identity_secret: NotRequired[str]
    webhook_secret: NotRequired[str]
