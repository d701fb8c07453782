"""How a shop tells the chat widget who is signed in: with a short-lived token signed by the shop's own server. Call it
only for the customer of the current session, after your own login, as `views/chat_token.py` does; the secret stays on
the server. The demo's endpoint for scripts, which signs for anyone, is in `views/demo.py`.
"""

import time

import jwt

LIFETIME_SECONDS = 3600


def sign_identity(*, customer_id: str, name: str, email: str, locale: str, channel_key: str, secret: str) -> str:
    """Return a JWT (HS256) that identifies the customer to one widget channel for an hour."""
    now = int(time.time())
    claims = {"sub": customer_id, "aud": channel_key, "iat": now, "exp": now + LIFETIME_SECONDS}
    profile = {"name": name, "email": email, "locale": locale}
    return jwt.encode(claims | profile, secret, algorithm="HS256")
