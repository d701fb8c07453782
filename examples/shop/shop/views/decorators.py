"""What both APIs have in common: JSON in, JSON out, and a refusal for everything else."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from shop.errors import MethodNotAllowed, NotJson
from shop.middleware import refused

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def only(*methods: str) -> Callable[[View[P]], View[P]]:
    """Accept these HTTP methods (HEAD counts as GET); others get 405 with `Allow`. A POST must be JSON, which no form
    of another page can send; this replaces the token of the shop's own forms.
    """
    allowed = ", ".join(methods)

    def decorate(view: View[P]) -> View[P]:
        @csrf_exempt
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                answer = refused(MethodNotAllowed(f"This address accepts only {allowed}."))
                answer["Allow"] = allowed
                return answer
            if request.method == "POST" and request.content_type != "application/json":
                return refused(NotJson("Send the body as JSON, with the header Content-Type: application/json."))
            return view(request, *args, **kwargs)

        return checked

    return decorate
