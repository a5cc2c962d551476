"""How one exchange can fail, told apart by what may safely be repeated."""

from trimtab.core.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable


class ConnectFailed(UpstreamError):
    """No connection, so nothing was sent: name, TCP or TLS. Safe to repeat."""


class AddressRefused(UpstreamError):
    """The host leads to a link-local or metadata address. Repeating cannot help."""


class ConnectTimeout(UpstreamTimeout):
    """No connection in time, so nothing was sent. Safe to repeat."""


class HeadTimeout(UpstreamTimeout):
    """The request was sent and no response began in time; the model may have worked."""


class BodyTimeout(UpstreamTimeout):
    """The response fell silent, or its total time ran out, after it had begun."""


class ConnectionCut(UpstreamError):
    """The peer closed or reset the connection before the response was whole."""


class NotHttp(UpstreamError):
    """The peer answered with something that is not a usable HTTP/1.1 response."""


class PoolExhausted(UpstreamUnavailable):
    """Every connection stayed busy until the deadline."""
