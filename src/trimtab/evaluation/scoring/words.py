"""Text as scorers compare it: what looks alike is alike."""

import re
import unicodedata

_SURROUNDING = " \t\n\r\"'`*_\u201c\u201d\u2018\u2019\u00ab\u00bb"
_ENDING = ".,;:!?" + _SURROUNDING
_WORD = re.compile(r"\w+")


def fold(text: str) -> str:
    """Return the text in one Unicode form (NFKC), case folded, each run of white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def normalise(text: str) -> str:
    r"""Return the text without what does not change an answer's meaning.

    Unicode forms that look alike become one (NFKC), case is folded, runs of white space become one space, and quotes,
    emphasis and closing punctuation around the whole answer go. Signs and points inside stay, unlike in SQuAD's
    normalisation, in which -5 equals 5 and 1.5 equals 15.

    >>> normalise(' "Paris". '), normalise("-1.5"), normalise("New\u00a0 York")
    ('paris', '-1.5', 'new york')
    """
    return fold(text).lstrip(_SURROUNDING).rstrip(_ENDING)


def tokens(text: str) -> list[str]:
    """Return the words between white space, each normalised and without brackets; what is left empty goes.

    >>> tokens("It is -1.5 (about), isn't it?")
    ['it', 'is', '-1.5', 'about', "isn't", 'it']
    """
    bare = (normalise(word.strip("()[]{}<>.,;:!?")) for word in fold(text).split())
    return [word for word in bare if word]


def words(text: str) -> list[str]:
    """Return the runs of letters and digits, case folded.

    >>> words("It isn't 1.5")
    ['it', 'isn', 't', '1', '5']
    """
    return _WORD.findall(fold(text))


def is_in(needle: str, text: str, *, whole_words: bool) -> bool:
    """Return whether a text contains another, between ends of words where that is asked for."""
    start = text.find(needle)
    while whole_words and start >= 0 and not _is_whole(start, start + len(needle), text):
        start = text.find(needle, start + 1)
    return start >= 0


def _is_whole(start: int, end: int, text: str) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())
