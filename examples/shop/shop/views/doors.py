"""What the views of the two doors have in common: one method each, and a refusal for all others."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

from shop.errors import MethodNotAllowed
from shop.middleware import refused

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def only(method: str) -> Callable[[View[P]], View[P]]:
    """Let one HTTP method in (HEAD counts as GET); others get 405 with `Allow`."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == method or (request.method, method) == ("HEAD", "GET"):
                return view(request, *args, **kwargs)
            answer = refused(MethodNotAllowed(f"This address answers {method} only."))
            answer["Allow"] = method
            return answer

        return checked

    return decorate
