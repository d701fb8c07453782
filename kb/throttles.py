"""How often one address may search the public help pages: every search embeds its question."""

from django.http import HttpRequest

from supportbot.counting import FailOpenThrottle


class HelpSearchThrottle(FailOpenThrottle):
    scope = "help_search"
    rate = "30/min"

    def get_cache_key(self, request: HttpRequest, view: None = None) -> str:  # type: ignore[override]  # a plain page
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}  # type: ignore[arg-type]

    def seconds_to_wait(self, request: HttpRequest) -> int:
        """Count a search; return 0 if it may run, else in how many seconds the next one may."""
        if self.allow_request(request, None):  # type: ignore[arg-type]  # reads META only, as get_ident does
            return 0
        return max(1, round(self.wait() or 1))
