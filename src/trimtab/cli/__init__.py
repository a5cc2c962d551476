"""The ``trimtab`` command: one file a noun."""


def main() -> None:
    """Run the command line."""
    raise SystemExit("not built yet")
