"""A suite from the journal: a sample of what was really asked, with the mix of all of it in the plan."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b

import msgspec

from trimtab.evaluation import Case, Plan, SuiteDraft, SuiteReading
from trimtab.replay.journal_case import NoCase, case_of, is_masked
from trimtab.replay.sampling import SampleChoice, Window
from trimtab.store import CallFilter, CallReader

ASKED_BEFORE = "calls that ask the same as another case"
_PROGRESS_EVERY = 1000


class JournalSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite that was drawn from the journal."""

    reading: SuiteReading
    n_calls: int
    """In the window."""
    traffic: Mapping[str, float]
    """Share of every stratum in the window, those without a case included."""
    left_out: Mapping[str, int]
    """Calls that could not become cases, by the reason."""
    wanted: Mapping[str, int]
    """Cases that each stratum should have had."""
    n_masked: int
    """Cases in which identifiers or keys were masked."""

    @property
    def uncovered(self) -> Mapping[str, float]:
        """The traffic of strata without a case, which no result on this suite speaks for."""
        strata = () if self.reading.suite is None else self.reading.suite.strata
        return {stratum: share for stratum, share in self.traffic.items() if stratum not in strata}


def draw_suite(
    reader: CallReader,
    filter: CallFilter,
    choice: SampleChoice,
    *,
    name: str,
    version: str,
    plan: Plan,
    progress: Callable[[int], None] = lambda n_calls: None,
) -> JournalSuite:
    """Draw a stratified sample of recorded calls.

    All calls of the window are counted; their shares go into the plan for the strata that have a case, so that the
    sample may over-represent what is rare without the result doing so. Chosen calls lose identifiers and keys.

    Args:
        reader: Of the journal.
        filter: The window.
        choice: Which calls become cases.
        name: Of the suite.
        version: Of the suite.
        plan: Of the suite; its traffic is replaced by what was measured.
        progress: Told the number of calls read so far.

    Raises:
        StoreError: the database failed.
    """
    window = _counted(reader, filter, choice, progress)
    draft, drawn = SuiteDraft("journal"), _Drawn(reader, choice, window.left_out)
    wanted = window.sizes()
    for stratum, n_wanted in wanted.items():
        for case in drawn.cases(stratum, window.drawn(stratum), n_wanted):
            draft.add(case, None)
    strata = {case.stratum for case in draft.cases}
    measured = msgspec.structs.replace(plan, traffic=window.shares(strata) if strata else None)
    return JournalSuite(
        reading=draft.reading(name, version, measured),
        n_calls=window.traffic.total(),
        traffic=window.shares(window.traffic) if window.traffic else {},
        left_out={reason: n for reason, n in window.left_out.items() if n},
        wanted=wanted,
        n_masked=sum(map(is_masked, draft.cases)),
    )


def _counted(reader: CallReader, filter: CallFilter, choice: SampleChoice, progress: Callable[[int], None]) -> Window:
    window = Window(choice)
    for number, entry in enumerate(reader.stream(filter, bodies=False), start=1):
        window.add(entry.call)
        if number % _PROGRESS_EVERY == 0:
            progress(number)
    return window


class _Drawn:
    """Makes cases of drawn calls and passes over those that make none.

    Args:
        reader: Of the journal.
        choice: Which calls become cases.
        left_out: Counts the others.
    """

    def __init__(self, reader: CallReader, choice: SampleChoice, left_out: Counter[str]) -> None:
        self._reader, self._choice, self._left_out = reader, choice, left_out
        self._asked: set[bytes] = set()

    def cases(self, stratum: str, call_ids: list[str], n_wanted: int) -> Iterator[Case]:
        n_found = 0
        for call_id in call_ids:
            if n_found == n_wanted:
                return
            try:
                case = self._case(stratum, call_id)
            except NoCase as exc:
                self._left_out[exc.reason] += 1
                continue
            n_found += 1
            yield case

    def _case(self, stratum: str, call_id: str) -> Case:
        entry = self._reader.find(call_id)
        if entry is None:  # pruned since it was counted
            raise NoCase("calls that are gone")
        case = case_of(entry, stratum, self._reader.feedback_of(call_id), self._choice.min_quality)
        digest = blake2b(msgspec.json.encode(case.messages), digest_size=16).digest()
        if digest in self._asked:
            raise NoCase(ASKED_BEFORE)
        self._asked.add(digest)
        return case
