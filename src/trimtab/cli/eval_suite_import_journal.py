"""The journal as a source of ``trimtab eval suite import``, and what has to be said about it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trimtab.cli import output
from trimtab.cli.context import Invocation
from trimtab.cli.eval_suite_import_options import JournalFlags, SuiteFlags
from trimtab.control.numbers import percent
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import ScorerSpec
from trimtab.ingest.suites import ImportedSuite
from trimtab.replay import TOO_SENSITIVE, JournalSuite, draw_suite
from trimtab.store import CallReader

SCORER = ScorerSpec(name="token_f1")
"""Where none is asked for. An answer in words is hardly ever repeated to the letter."""


def from_journal(
    invocation: Invocation, files: Sequence[Path], flags: SuiteFlags, journal: JournalFlags, to: Path
) -> ImportedSuite:
    """Draw a suite from the journal.

    Raises:
        ConfigurationError: files were named, an option cannot be used, or no call can become a case.
        StoreError: the database failed.
    """
    if files:
        raise ConfigurationError(f"--from journal reads no file, and {files[0]} was named.", hint="Leave it out.")
    filter, plan = journal.filter(), msgspec.structs.replace(flags.plan(), scorer=flags.spec() or SCORER)
    database, progress = invocation.open_database(), output.Progress()
    try:
        drawn = draw_suite(
            CallReader(database),
            filter,
            journal.choice(),
            name=flags.name or to.name.partition(".")[0],
            version=flags.suite_version,
            plan=plan,
            progress=lambda n_calls: progress.update(f"{n_calls:,} calls read"),
        )
    finally:
        progress.clear()
        database.close()
    if drawn.reading.suite is None and not any(drawn.wanted.values()):
        raise _nothing(drawn, journal)
    return ImportedSuite(reading=drawn.reading, left_out=drawn.left_out, notes=tuple(_notes(drawn)))


def _nothing(drawn: JournalSuite, journal: JournalFlags) -> ConfigurationError:
    if not drawn.n_calls:
        return ConfigurationError(
            "No call lies in the window.", hint="`trimtab calls list` takes the same options and shows what is there."
        )
    reasons = "".join(f"\n  {n:,} {reason}" for reason, n in drawn.left_out.items())
    hint = "`trimtab calls import --store redacted` keeps content; so does the gateway, unless policy says otherwise."
    if TOO_SENSITIVE in drawn.left_out:
        hint = f"--max-sensitivity is {journal.max_sensitivity}; imported calls without a label are restricted."
    return ConfigurationError(f"None of {drawn.n_calls:,} calls in the window can become a case.{reasons}", hint=hint)


def _notes(drawn: JournalSuite) -> Iterator[str]:
    suite = drawn.reading.suite
    if suite is None:
        return
    yield f"Drawn from {drawn.n_calls:,} calls, whose mix is the plan's traffic."
    found = Counter(case.stratum for case in suite.cases)
    for stratum, wanted in drawn.wanted.items():
        if found[stratum] < wanted:
            yield f"Stratum {stratum}: {found[stratum]:,} of {wanted:,} cases; there are no more that can be used."
    if drawn.uncovered:
        strata = ", ".join(f"{stratum} {percent(share)}" for stratum, share in drawn.uncovered.items())
        yield f"Traffic that no case stands for, so that no result on this suite speaks for it: {strata}."
    if drawn.n_masked:
        yield f"{output.counted(drawn.n_masked, 'case')} with masked identifiers or keys."
    n_recorded = sum("expected:recorded" in case.tags for case in suite.cases)
    if n_recorded:
        yield (
            f"{output.counted(n_recorded, 'case')} with an answer that nobody judged: scores there measure agreement "
            "with the model that gave it, not whether it was right."
        )
