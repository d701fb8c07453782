"""The demo's channel, embedded in the storefront, with Wrenfell's branding and identity tokens signed by the shop.

Later starts keep branding that people have changed, such as the assistant's name, origins on other machines, and
additional keys.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from supportbot.accounts.channels import change_channel, create_channel
from supportbot.accounts.models import Channel, IdentityKey, Workspace
from supportbot.accounts.origins import clean_origin
from supportbot.installation.instance_secrets import Secrets
from supportbot.installation.start_plan import Plan, is_loopback

CHANNEL: Final = "Storefront"
ACCENT: Final = "#1f5b45"
PRIVACY: Final = "/help/wrenfell/your-data-and-deleting-your-account/"
BRANDING: Final = Path(__file__).parent / "data/branding.json"


def storefront_channel(workspace: Workspace, plan: Plan, secrets: Secrets) -> Channel:
    """Create the channel, or update it with the addresses of this run. Call this inside the workspace's scope."""
    channel = _channel(workspace, secrets)
    _allow_origins(channel, _origins(plan))
    _point_to_privacy(channel, plan)
    return channel


def _channel(workspace: Workspace, secrets: Secrets) -> Channel:
    channel: Channel | None = Channel.objects.filter(name=CHANNEL).order_by("id").first()
    if channel is None:
        return create_channel(workspace, CHANNEL, identity_secret=secrets.identity_secret, **_branding()).channel
    _apply_branding(channel)
    keys = list(IdentityKey.objects.filter(channel=channel).order_by("id"))
    if not any(key.secret == secrets.identity_secret and key.revoked_at is None for key in keys):
        # With a different DATA_DIR on the same database, the shop signs with a different secret.
        IdentityKey.objects.create(
            channel=channel,
            kid=str(len(keys) + 1),
            algorithm=IdentityKey.Algorithm.HS256,
            secret=secrets.identity_secret,
        )
    return channel


def _branding() -> dict[str, Any]:
    return {"accent": ACCENT, **json.loads(BRANDING.read_text(encoding="utf-8"))}


def _apply_branding(channel: Channel) -> None:
    """Set the branding of a channel that has none. Customised branding is kept."""
    if channel.accent or channel.suggestions or channel.greeting or channel.assistant_name:
        return
    change_channel(channel.pk, **_branding())
    channel.refresh_from_db()


def _point_to_privacy(channel: Channel, plan: Plan) -> None:
    """Link to the help page on privacy at this run's address. A link to another host is kept."""
    if not channel.privacy_url or is_loopback(urlsplit(channel.privacy_url).hostname or ""):
        change_channel(channel.pk, privacy_url=f"{plan.base_url}{PRIVACY}")


def _origins(plan: Plan) -> list[str]:
    ports = (plan.shop_port, plan.port)
    near = [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports]
    return [clean_origin(origin) for origin in (*near, plan.base_url)]


def _allow_origins(channel: Channel, wanted: Sequence[str]) -> None:
    """Allow the origins of this run, and remove those with the ports of an earlier run.

    Origins on other hosts are kept.
    """
    kept = [origin for origin in channel.allowed_origins if not is_loopback(urlsplit(origin).hostname or "")]
    allowed = list(dict.fromkeys([*wanted, *kept]))
    if allowed != channel.allowed_origins:
        channel.allowed_origins = allowed
        channel.save(update_fields=["allowed_origins"])
