"""Where a connection may go: the origin, its addresses, and the ones refused."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from trimtab.providers.http1.errors import AddressRefused, ConnectFailed

_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local; metadata of AWS, Azure, Google
        "fe80::/10",  # link-local
        "fd00:ec2::/32",  # AWS metadata and time over IPv6
        "fd20:ce::254/128",  # Google metadata over IPv6
        "100.100.100.200/32",  # Alibaba metadata
        "168.63.129.16/32",  # Azure platform
        "192.0.0.192/32",  # Oracle metadata, older form
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: what a connection can be shared by."""

    host: str
    port: int
    is_tls: bool

    @classmethod
    def of(cls, base_url: str) -> "Origin":
        """Return the origin of a URL that :class:`trimtab.providers.config.ProviderConfig` accepted.

        Example:
            >>> Origin.of("https://api.example.com/v1").authority
            'api.example.com'
        """
        parts = urlsplit(base_url)
        is_tls = parts.scheme == "https"
        return cls(host=parts.hostname or "", port=parts.port or (443 if is_tls else 80), is_tls=is_tls)

    @property
    def authority(self) -> str:
        """The ``host`` header: the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def is_refused(address: str) -> bool:
    """Say whether an address is link-local or a cloud's metadata service, also when wrapped into IPv6.

    Example:
        >>> is_refused("169.254.169.254"), is_refused("::ffff:169.254.169.254"), is_refused("127.0.0.1")
        (True, True, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and (ip in _NAT64 or ip in _IPV4_COMPATIBLE):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_refused(str(inner))
    return any(ip in network for network in _REFUSED)


async def resolve(origin: Origin, *, allow_link_local: bool) -> list[str]:
    """Look the host up once and return the addresses to connect to, in the resolver's order.

    The connection goes to these very addresses, so a second lookup cannot answer otherwise.

    Raises:
        ConnectFailed: the name does not resolve.
        AddressRefused: every address is link-local or a metadata service.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise ConnectFailed(f"host {origin.host!r} does not resolve ({exc})") from exc
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = addresses if allow_link_local else [a for a in addresses if not is_refused(a)]
    if not allowed:
        raise AddressRefused(
            f"host {origin.host!r} is {', '.join(addresses)}, a link-local or metadata address",
            hint="Set allow_link_local on the provider if this is meant.",
        )
    return allowed
