"""``trimtab keys``: the keys that applications and operators call with."""

from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.control import DATA_SCOPES, MAX_DAYS, SCOPES, KeyChange, KeyRequest, local_operator
from trimtab.control.numbers import count, instant, usd
from trimtab.core import SensitivityLabel, SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.store import StoredKey

NO_LIMIT = "none"

KeyIdArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="Id of the key; `trimtab keys list` shows it.", show_default=False)
]

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.", show_default=False)],
    app: Annotated[str, typer.Option("--app", metavar="NAME", help="App that its calls count for.")] = "default",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help=f"What it may do; repeat. Left out: {', '.join(DATA_SCOPES)}. All: {', '.join(SCOPES)}.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Model or glob it may use; repeat. Left out: whatever policy allows."),
    ] = None,
    calls_per_minute: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Calls it may send in a minute.")
    ] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Tokens it may use in a minute.")
    ] = None,
    usd_per_day: Annotated[str | None, typer.Option(metavar="USD", help="Dollars it may spend in a UTC day.")] = None,
    usd_per_month: Annotated[
        str | None, typer.Option(metavar="USD", help="Dollars it may spend in a UTC month.")
    ] = None,
    sensitivity: Annotated[
        SensitivityLabel | None,
        typer.Option(help="Label of its calls that carry none."),
    ] = None,
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=MAX_DAYS, metavar="N", help="It ends by itself then.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Create a key. Its secret is printed here and can never be read again."""
    request = KeyRequest(
        name=name,
        app=app,
        scopes=tuple(scope or DATA_SCOPES),
        models=tuple(model or ()),
        calls_per_minute=calls_per_minute,
        tokens_per_minute=tokens_per_minute,
        usd_per_day=usd_per_day,
        usd_per_month=usd_per_month,
        sensitivity=sensitivity,
        expires_in_days=expires_in_days,
    )
    with invocation_of(context).open_desk() as desk:
        made = desk.keys.create(local_operator(), request)
    if json:
        output.print_json(made)
        return
    output.print_line(made.secret)
    output.note(f"Key {made.key_id} ({made.name}, app {made.app}). The line above is its secret, shown this once.")


@app.command("list")
def list_keys(
    context: typer.Context,
    app: Annotated[str | None, typer.Option("--app", metavar="NAME", help="Keys of this app only.")] = None,
    json: JsonOption = False,
) -> None:
    """List keys, revoked ones included. Secrets are not kept, so they cannot be listed."""
    with invocation_of(context).open_desk() as desk:
        keys = [key for key in desk.keys.list_for(local_operator()) if app is None or key.app == app]
    if json:
        output.print_json(keys)
        return
    now_us = SystemClock().now_us()
    output.print_table(
        ["Key", "Name", "App", "Begins", "May", "Limits", "Created", "State"],
        (
            [
                key.key_id,
                key.name,
                key.app,
                key.prefix,
                ", ".join(key.scopes),
                _limits(key),
                instant(key.created_at_us),
                _state(key, now_us),
            ]
            for key in keys
        ),
    )
    if not keys:
        output.note("There are no keys: `trimtab keys create NAME`.")


@app.command("update")
def update(
    context: typer.Context,
    key_id: KeyIdArgument,
    calls_per_minute: Annotated[str | None, typer.Option(metavar="N", help="A number, or none.")] = None,
    tokens_per_minute: Annotated[str | None, typer.Option(metavar="N", help="A number, or none.")] = None,
    usd_per_day: Annotated[str | None, typer.Option(metavar="USD", help="An amount, or none.")] = None,
    usd_per_month: Annotated[str | None, typer.Option(metavar="USD", help="An amount, or none.")] = None,
    json: JsonOption = False,
) -> None:
    """Change a key's limits; what is left out stays as it is. Workers follow within a second."""
    change = KeyChange(
        calls_per_minute=_number(calls_per_minute, "--calls-per-minute"),
        tokens_per_minute=_number(tokens_per_minute, "--tokens-per-minute"),
        usd_per_day=_given(usd_per_day),
        usd_per_month=_given(usd_per_month),
    )
    if change == KeyChange():
        raise ConfigurationError(
            "No limit was given.", hint="For example `--calls-per-minute 60` or `--usd-per-day none`."
        )
    with invocation_of(context).open_desk() as desk:
        key = desk.keys.update(local_operator(), key_id, change)
    _say(key, "changed", json=json)


@app.command("revoke", short_help="Revoke a key for good.")
def revoke(context: typer.Context, key_id: KeyIdArgument, json: JsonOption = False) -> None:
    """Revoke a key: workers refuse it within a second, and it never comes back."""
    with invocation_of(context).open_desk() as desk:
        key = desk.keys.revoke(local_operator(), key_id)
    _say(key, "revoked", json=json)


def _say(key: StoredKey, verb: str, *, json: bool) -> None:
    if json:
        output.print_json(key)
    else:
        output.print_line(f"{key.key_id} ({key.name}) {verb}; limits: {_limits(key)}")


def _given(text: str | None) -> str | msgspec.UnsetType | None:
    """Return what an option says: nothing given leaves a limit, ``none`` takes it away."""
    if text is None:
        return msgspec.UNSET
    return None if text == NO_LIMIT else text


def _number(text: str | None, option: str) -> int | msgspec.UnsetType | None:
    given = _given(text)
    if not isinstance(given, str):
        return given
    if not given.isdecimal():
        raise ConfigurationError(f"{option} {given!r} is not a number.", hint="Write it like 60, or none.")
    return int(given)


def _limits(key: StoredKey) -> str:
    parts = [
        f"{count(key.calls_per_minute)} calls/min" if key.calls_per_minute is not None else "",
        f"{count(key.tokens_per_minute)} tokens/min" if key.tokens_per_minute is not None else "",
        f"{usd(key.per_day_nano_usd)}/day" if key.per_day_nano_usd is not None else "",
        f"{usd(key.per_month_nano_usd)}/month" if key.per_month_nano_usd is not None else "",
    ]
    return ", ".join(part for part in parts if part) or NO_LIMIT


def _state(key: StoredKey, now_us: int) -> str:
    if key.revoked_at_us is not None:
        return f"revoked {instant(key.revoked_at_us)}"
    if key.expires_at_us is None:
        return "active"
    return f"{'expired' if key.expires_at_us <= now_us else 'active until'} {instant(key.expires_at_us)}"
