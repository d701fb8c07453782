"""The former name of uvicorn's own HTTP protocol, for service files that still use it. To be removed in 0.3."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Plainspoken

__all__ = ["Plainspoken"]
