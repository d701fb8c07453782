"""Paths outside the packages that a deployment's own files may still name."""

from uvicorn.importer import import_from_string
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def test_a_service_file_may_still_name_the_former_http_protocol() -> None:
    assert import_from_string("supportbot.httpserver:Plainspoken") is HttpToolsProtocol
