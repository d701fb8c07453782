"""The former path of `versions_in_force`, for a `RELEASES_REFERENCES` that names it. Until 0.3."""

from actions.policy_store import versions_in_force

__all__ = ["versions_in_force"]
