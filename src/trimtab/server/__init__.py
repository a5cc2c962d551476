"""HTTP: the data plane for callers, the control listener for operators, and the processes that run them."""

from trimtab.server.errors import status_of
from trimtab.server.process import Addresses, end_with_stdin, serve, serve_worker

__all__ = ["Addresses", "end_with_stdin", "serve", "serve_worker", "status_of"]
