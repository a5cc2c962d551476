"""A small HTTP/1.1 relay client: bytes in, bytes out. Why it exists: docs/decisions/0002."""

from trimtab.providers.http1.address import Origin
from trimtab.providers.http1.client import Http1Client
from trimtab.providers.http1.errors import (
    AddressRefused,
    BodyTimeout,
    ConnectFailed,
    ConnectionCut,
    ConnectTimeout,
    HeadTimeout,
    NotHttp,
    PoolExhausted,
)
from trimtab.providers.http1.exchange import Exchange

__all__ = [
    "AddressRefused",
    "BodyTimeout",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionCut",
    "Exchange",
    "HeadTimeout",
    "Http1Client",
    "NotHttp",
    "Origin",
    "PoolExhausted",
]
