"""Regular expressions of RE2: their time grows with the text only, whoever wrote them."""

from functools import lru_cache

import re2


class PatternInvalid(ValueError):
    """What should be a regular expression is none that RE2 reads."""


@lru_cache(maxsize=256)
def compiled(source: str, *, ignore_case: bool = False) -> "re2._Regexp":
    """Compile for bytes, because text with half a surrogate pair is no UTF-8 and RE2 takes nothing else.

    Raises:
        PatternInvalid: RE2 does not read it; look-around and references back are not in its language.
    """
    settings = re2.Options()
    settings.log_errors = False
    settings.case_sensitive = not ignore_case
    try:
        return re2.compile(source.encode("utf-8", "replace"), settings)
    except re2.error as exc:
        said = exc.args[0].decode("utf-8", "replace")
        raise PatternInvalid(f"{source!r} is no regular expression of RE2: {said}") from exc
