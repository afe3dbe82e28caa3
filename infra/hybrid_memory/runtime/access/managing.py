"""What `hm keys` does, and what it says."""

import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from hybrid_memory.runtime.access.caller import READ_WRITE, Scope
from hybrid_memory.runtime.access.identify import given_keys, key_file
from hybrid_memory.runtime.access.key_file import Entries, change_keys, plain, read_keys
from hybrid_memory.runtime.access.keys import PREFIX, KeyEntry, NewKey, Users, make_key
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import Settings, load_settings


def create_key(
    name: str,
    users: Sequence[str],
    all_users: bool,
    scopes: Sequence[str],
    days: int | None,
    file: Path | None,
    no_file: bool,
    as_json: bool,
) -> str:
    """Make a key and keep its hash; the key itself is in what is returned, and nowhere else.

    Raises:
        Refusal: it cannot be made so, or the file cannot be written.
    """
    new = _made(name, _users(users, all_users), _scopes(scopes), days)
    if no_file:
        return _for_the_settings(new, as_json)
    path = _path(file, load_settings())
    change_keys(path, lambda entries: (*entries, new.entry))
    if as_json:
        entry = plain(new.entry)
        return json.dumps({"key": new.key, **{part: value for part, value in entry.items() if part != "hash"}})
    # The key alone on standard output, so that a program can take it.
    _say_once(new)
    print(f"Its hash is in {path}; services with this file ask for a key from now on.", file=sys.stderr)
    return new.key


def list_keys(file: Path | None, as_json: bool) -> str:
    """Every key, of the file and of the settings, as a table or JSON; no hashes.

    Raises:
        Refusal: they cannot be read.
    """
    settings = load_settings()
    path, now = _path(file, settings), datetime.now(UTC)
    try:
        entries: Entries = read_keys(path)
    except FileNotFoundError:
        entries = ()
    fixed = given_keys(settings)
    rows = [{**plain(entry), "state": entry.state(now), "from": str(path)} for entry in entries]
    rows += [{**plain(entry), "state": entry.state(now), "from": "HM_HTTP__KEYS"} for entry in fixed]
    for row in rows:
        del row["hash"]
    if as_json:
        return json.dumps(rows, indent=2)
    if not rows:
        return f"no keys in {path}; make one with: hm keys create NAME --all-users"
    return _table((*entries, *fixed), now)


def revoke_key(key_id: str, file: Path | None) -> str:
    """Revoke the key with this id; its entry stays, so that it is known whose it was.

    Raises:
        Refusal: there is none, or it is not in the file.
    """
    wanted = key_id.removeprefix(PREFIX).partition("_")[0]
    settings = load_settings()
    path, now = _path(file, settings), datetime.now(UTC).replace(microsecond=0)
    if wanted in {entry.id for entry in given_keys(settings)}:
        raise Refusal(f"key {wanted} comes from HM_HTTP__KEYS: take it out there, and start the services anew")

    def revoked(entries: Entries) -> list[KeyEntry]:
        if wanted not in {entry.id for entry in entries}:
            raise Refusal(f"there is no such key in {path}; see them with: hm keys list")
        return [
            entry.model_copy(update={"revoked": now}) if entry.id == wanted and not entry.revoked else entry
            for entry in entries
        ]

    change_keys(path, revoked)
    return f"Key {wanted} is revoked; running services stop taking it within seconds."


def _for_the_settings(new: NewKey, as_json: bool) -> str:
    entry = plain(new.entry)
    if as_json:
        return json.dumps({"key": new.key, "entry": entry}, indent=2)
    _say_once(new)
    print("Services take it by the setting below; where they have one, add the entry to its list.", file=sys.stderr)
    return f"{new.key}\nHM_HTTP__KEYS={shlex.quote(json.dumps([entry]))}"


def _say_once(new: NewKey) -> None:
    entry = new.entry
    print(f"Key {entry.id} ({entry.name}) may {_what(entry)}. It is shown only here; keep it.", file=sys.stderr)


def _made(name: str, users: Users, scopes: frozenset[Scope], days: int | None) -> NewKey:
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        return make_key(name, scopes, users, expires=now + timedelta(days=days) if days else None, now=now)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        raise Refusal(f"this key cannot be: {where}{first['msg'].removeprefix('Value error, ')}") from None


def _users(users: Sequence[str], all_users: bool) -> Users:
    if bool(users) == all_users:
        raise Refusal("say whose memories the key reaches: --user ID (may be repeated), or --all-users")
    return "all" if all_users else frozenset(users)


def _scopes(names: Sequence[str]) -> frozenset[Scope]:
    try:
        return frozenset(Scope(name) for name in names) or READ_WRITE
    except ValueError as error:
        raise Refusal(f"{error}; a scope is one of: {', '.join(Scope)}") from None


def _path(file: Path | None, settings: Settings) -> Path:
    return (file or key_file(settings)).absolute()


def _what(entry: KeyEntry) -> str:
    """Its rights in words."""
    rights = ", ".join(sorted(entry.scopes))
    whose = "all users" if entry.users == "all" else ", ".join(sorted(entry.users))
    return f"{rights} for {whose}" + (f" until {entry.expires:%Y-%m-%d}" if entry.expires else "")


def _table(entries: Sequence[KeyEntry], now: datetime) -> str:
    head = ("ID", "NAME", "MAY", "CREATED", "STATE")
    rows = [
        (entry.id, entry.name, _what(entry), f"{entry.created:%Y-%m-%d}" if entry.created else "", entry.state(now))
        for entry in entries
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)
