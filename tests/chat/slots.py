"""A runner's slots for tests of claims."""

from supportbot.chat.turns import Claim


class Slots:
    """Slots of a runner, which keep the claims that were made for them."""

    runner = "runner-1"

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    def take(self, claim: Claim) -> None:
        self.claims.append(claim)
