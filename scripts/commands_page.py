"""Write docs/reference/commands.md: every noun, verb and option, from the command tree itself."""

from collections.abc import Iterator

from generated import ROOT, table, write_or_check

from trimtab.cli.frame import NOUNS, command_of

PAGE = ROOT / "docs/reference/commands.md"

_HEAD = """\
# Commands

Written by `scripts/commands_page.py` from `trimtab.cli`; do not edit.

`trimtab NOUN VERB`: results go to stdout, everything else to stderr. `--json` prints one JSON document whose fields are
only ever added to. Colour and progress appear on a terminal only, and `NO_COLOR` is honoured. The
[exit codes](errors.md#exit-codes-of-the-command) are 0 done, 1 the answer is no, 2 usage or configuration, 3 something
outside failed; 130 is Ctrl-C.

Two options go with every command, before or after its noun:

| Option | Meaning |
| --- | --- |
| `-c, --config FILE` | Configuration file; else `TRIMTAB_CONFIG`, else `./trimtab.yaml` |
| `--database FILE|URL` | Database file or URL; wins over the configuration |
""".replace("FILE|URL", "FILE\\|URL")


def main() -> int:
    """Write or check the page."""
    parts = [_HEAD]
    for noun in NOUNS:
        commands = list(_commands(noun.name))
        parts.append(f"## {noun.name}\n" + (f"\n{noun.help}\n" if len(commands) > 1 else ""))
        parts += commands
    return write_or_check(PAGE, "\n".join(parts))


def _commands(noun: str) -> Iterator[str]:
    for path, command in command_of(noun):
        with command.make_context(path, [], resilient_parsing=True) as context:
            usage = " ".join([path, *command.collect_usage_pieces(context)]).replace("{", "").replace("}", "")
            options = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
        heading = "" if path.count(" ") == 1 else f"### {path}\n\n"
        about = (command.help or "").replace("``", "`").split("\n\n    Raises:")[0].strip()
        rows = [(f"`{_spelled(name)}`", _meaning(text)) for name, text in options if name != "--help"]
        yield f"{heading}`{usage}`\n\n{about}\n\n{table(('Argument or option', 'Meaning'), rows)}\n"


def _spelled(name: str) -> str:
    """Return the spelling of an option; of an argument without its Python type, which says nothing to a reader."""
    return name if name.startswith("-") else name.partition(" <")[0]


def _meaning(text: str) -> str:
    return " ".join(text.replace("[default: ", "[").split())


if __name__ == "__main__":
    raise SystemExit(main())
