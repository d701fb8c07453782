"""The published schema of a conversation's log: every event that a test reads is validated against it."""

import json
from pathlib import Path
from typing import Any

import jsonschema

import supportbot.chat

EVENT_SCHEMA = json.loads((Path(supportbot.chat.__path__[0]) / "schemas" / "events.json").read_text())
EVENTS = jsonschema.Draft202012Validator(EVENT_SCHEMA)


def names_in_schema() -> set[str]:
    named = [variant["properties"]["event"] for variant in EVENT_SCHEMA["oneOf"]]
    return {name for event in named for name in event.get("enum", [event.get("const")])}


def check_event(event: str, payload: Any) -> None:
    """Raise ValidationError for an event outside the schema."""
    EVENTS.validate({"event": event, "payload": payload})
