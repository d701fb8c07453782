"""What the views of the two doors have in common: the methods they answer, and a refusal for all others."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

from shop.errors import MethodNotAllowed
from shop.middleware import refused

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def only(*methods: str) -> Callable[[View[P]], View[P]]:
    """Let these HTTP methods in (HEAD counts as GET); others get 405 with `Allow`."""
    allowed = ", ".join(methods)

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method in methods or (request.method == "HEAD" and "GET" in methods):
                return view(request, *args, **kwargs)
            answer = refused(MethodNotAllowed(f"This address answers {allowed} only."))
            answer["Allow"] = allowed
            return answer

        return checked

    return decorate
