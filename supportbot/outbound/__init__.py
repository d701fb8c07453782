"""The only way to make HTTP calls from this installation to other systems, with checks on every call."""
