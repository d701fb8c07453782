"""robots.txt by RFC 9309: only the rules of one group apply, the longest match wins, and paths may contain `*` and `$`.
Pure.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

MAX_BYTES: Final = 500_000  # the RFC requires at least 500 KiB; the rest is ignored
MOST_DELAY: Final = 30.0  # seconds; a site cannot ask for more


@dataclass(frozen=True, slots=True)
class Robots:
    rules: tuple[tuple[bool, str], ...] = ()  # (is allowed, path)
    delay_seconds: float = 0.0
    sitemaps: tuple[str, ...] = ()

    def allows(self, url: str) -> bool:
        parts = urlsplit(url)
        path = _plain(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        # The longest rule wins; if rules have the same length, one that allows the path wins.
        matching = [(len(rule), is_allowed) for is_allowed, rule in self.rules if _matches(path, rule)]
        return max(matching)[1] if matching else True


def parse_robots(text: str, agent: str) -> Robots:
    """Return the rules for `agent`, from the groups that name it or, if none does, from those for everyone."""
    groups: dict[str, list[tuple[bool, str]]] = {}
    delays: dict[str, float] = {}
    sitemaps: list[str] = []
    names: list[str] = []
    is_naming = False
    for line in text[:MAX_BYTES].splitlines():
        field, _, value = line.partition("#")[0].partition(":")
        field, value = field.strip().lower(), value.strip()
        if field == "user-agent":
            names = [*names, value.lower()] if is_naming else [value.lower()]
            is_naming = True
        elif field == "sitemap":
            sitemaps.append(value)
        elif field in ("allow", "disallow", "crawl-delay"):
            is_naming = False
            for name in names:
                groups.setdefault(name, [])
                if field == "crawl-delay":
                    delays[name] = _seconds(value)
                elif value:
                    groups[name].append((field == "allow", _plain(value)))
    own = next((name for name in groups if name != "*" and name.split("/")[0] == agent), "*")
    return Robots(tuple(groups.get(own, ())), delays.get(own, 0.0), tuple(sitemaps))


def _seconds(value: str) -> float:
    try:
        return max(0.0, min(float(value), MOST_DELAY))
    except ValueError:
        return 0.0


def _plain(path: str) -> str:
    """Return a path with its encoded characters in a single spelling."""
    return quote(unquote(path), safe="/?&=*$%:;@!'()+,~-._[]|")


def _matches(path: str, rule: str) -> bool:
    """Return whether a rule matches; its pieces are searched for one after the other, since a regular expression could
    take too long.
    """
    first, *others = rule.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for piece in others[:-1] if rule.endswith("$") else others:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if not rule.endswith("$"):
        return True
    return len(path) - len(others[-1]) >= at and path.endswith(others[-1]) if others else at == len(path)
