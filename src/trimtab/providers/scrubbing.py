"""A provider's error text without the key it was called with: some quote it back."""

from collections.abc import AsyncIterator, Mapping

from trimtab.core.errors import UpstreamError
from trimtab.gateway import UpstreamResponse

MASK = "[REDACTED:api_key]"
MAX_ERROR_BYTES = 1_048_576
"""A longer error answer is the provider's failure; real ones have some hundred bytes."""


class ScrubbedError:
    """An answer of status 400 or above, read whole so that a key split over two pieces is found.

    Args:
        inner: The answer as it comes.
        key: What must not be seen.
    """

    def __init__(self, inner: UpstreamResponse, key: str) -> None:
        self._inner = inner
        self._key = key

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers."""
        return {name: value.replace(self._key, MASK) for name, value in self._inner.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in one piece.

        Raises:
            UpstreamError: the body was cut, or is longer than any error message.
        """
        body = bytearray()
        async for chunk in self._inner.chunks():
            body += chunk
            if len(body) > MAX_ERROR_BYTES:
                raise UpstreamError(f"The provider answered {self.status} with more than {MAX_ERROR_BYTES} bytes.")
        yield bytes(body).replace(self._key.encode(), MASK.encode())

    async def aclose(self) -> None:
        """Stop reading."""
        await self._inner.aclose()
