"""Token counts of one response."""

import msgspec

BYTES_PER_TOKEN = 4
"""English text and JSON; the rule of thumb that tokenizers' makers publish."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Token counts as the provider reported them; ``None`` when it did not, which is not 0.

    A msgspec struct rather than a dataclass: it is made once a call and written to the spool as it is.
    """

    input_tokens: int | None = None
    """All input tokens, cached ones included."""
    output_tokens: int | None = None
    """All output tokens, reasoning included."""
    cache_read_tokens: int | None = None
    """Part of ``input_tokens`` read from a cache."""
    cache_write_tokens: int | None = None
    """Part of ``input_tokens`` written to a cache."""
    reasoning_tokens: int | None = None
    """Part of ``output_tokens`` spent on hidden reasoning."""

    @property
    def is_known(self) -> bool:
        """Whether both totals were reported."""
        return self.input_tokens is not None and self.output_tokens is not None


NO_USAGE = Usage()
