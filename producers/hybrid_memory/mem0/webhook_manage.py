"""What `hm mem0 webhook register`, `list` and `remove` do on the platform."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from hybrid_memory.mem0.platform_api import PlatformApi
from hybrid_memory.mem0.webhook import PATH, tokens_of
from hybrid_memory.runtime.console import make_console
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Mem0Settings

EVENTS = ["memory_add", "memory_update", "memory_delete", "memory_categorize"]


def register(settings: Mem0Settings, url: str, name: str, as_json: bool) -> None:
    """Have the platform call `url` with the newest token; one that does so already stays as it is.

    Raises:
        Refusal: the URL is none that Mem0 could call, there is no token, or the platform will not have it.
    """
    target = f"{_base(url)}{PATH}/{tokens_of(settings.webhook)[0]}"
    with _platform(settings) as (api, project):
        known = [hook for hook in api.webhooks(project) if hook.get("url") == target]
        hook = known[0] if known else api.add_webhook(project, target, name, EVENTS)
    if as_json:
        print(json.dumps(_shown(hook), indent=2))
    else:
        print(f"{hook.get('webhook_id')} {'calls' if known else 'now calls'} {_hidden(target)}")


def show(settings: Mem0Settings, as_json: bool) -> None:
    """Print the project's webhooks, tokens hidden. Raises as `register`."""
    with _platform(settings) as (api, project):
        hooks = [_shown(hook) for hook in api.webhooks(project)]
    if as_json:
        print(json.dumps(hooks, indent=2))
        return
    from rich.table import Table

    table = Table("id", "name", "active", "events", "url", box=None)
    for hook in hooks:
        events = ", ".join(hook["event_types"])
        table.add_row(hook["webhook_id"], hook["name"], "yes" if hook["is_active"] else "no", events, hook["url"])
    make_console().print(
        table if hooks else f"project {project} has no webhooks; make one: hm mem0 webhook register URL"
    )


def remove(settings: Mem0Settings, webhook_id: str) -> None:
    """Have the platform call it no more.

    Raises:
        Refusal: it has none of this id, or does not let us in.
    """
    with _platform(settings) as (api, _):
        if not api.remove_webhook(webhook_id):
            raise Refusal(f"there is no webhook {webhook_id}; hm mem0 webhook list shows them")
    print(f"{webhook_id} is removed")


@contextmanager
def _platform(settings: Mem0Settings) -> Iterator[tuple[PlatformApi, str]]:
    try:
        with PlatformApi(settings) as api:
            yield api, api.project().project_id
    except Unavailable as error:
        raise Refusal(f"{error}; try again later") from None


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise Refusal(f"{url[:200]} is no URL that Mem0 could call; give one such as https://memory.example.org")
    return url.rstrip("/")


def _shown(hook: dict[str, Any]) -> dict[str, Any]:
    events = hook.get("event_types")
    return {
        "webhook_id": str(hook.get("webhook_id")),
        "name": str(hook.get("name")),
        "is_active": bool(hook.get("is_active")),
        "event_types": [str(event) for event in events] if isinstance(events, list) else [],
        "url": _hidden(str(hook.get("url"))),
    }


def _hidden(url: str) -> str:
    """The URL, what follows our path hidden: it is as good as a password."""
    return re.sub(rf"({re.escape(PATH)}/).*", r"\1<token>", url)
