"""What `hm up` says when everything is ready."""

import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from hybrid_memory.local.up_plan import Plan
from hybrid_memory.runtime.settings import HttpSettings, Settings

_HEADER = "-H 'content-type: application/json'"
_KEY = '-H "X-API-Key: $KEY"'


def welcome(plan: Plan, seconds: float) -> str:
    """Where everything is, and three commands to copy."""
    key = f" {_KEY}" if plan.guarded else ""
    add = '{"user_id": "ada", "text": "I love the ramen place near the station"}'
    search = '{"user_id": "ada", "context": "Where shall we eat tonight?"}'
    return f"""
Ready after {seconds:.1f} s.

  API     {plan.url}  (try it out at {plan.url}/docs)
  Kafka   {plan.bootstrap_servers}
  Data    {plan.data_dir}

Add a memory, search, list the users{" (KEY is one of yours; hm keys list names them)" if key else ""}:

  curl {plan.url}/add_memory{key} {_HEADER} -d '{add}'
  curl {plan.url}/search{key} {_HEADER} -d '{search}'
  curl {plan.url}/list_users{key}

Or publish to Kafka, from another terminal:

{_exports(plan)}
  echo '{add}' | {_hm()} publish

Ctrl-C stops everything.
"""


def _exports(plan: Plan) -> str:
    """What another terminal has to know, so that every command means this system."""
    usual, port = Settings.model_fields, urlsplit(plan.url).port
    names = {"HM_KAFKA__BOOTSTRAP_SERVERS": plan.bootstrap_servers}
    if plan.data_dir != usual["data_dir"].get_default(call_default_factory=True):
        names["HM_DATA_DIR"] = shlex.quote(str(plan.data_dir))
    if port != HttpSettings().port:
        names["HM_HTTP__PORT"] = str(port)
    return "\n".join(f"  export {name}={value}" for name, value in names.items())


def _hm() -> str:
    """How the person can call this program: its name where the shell finds it, else its path."""
    return "hm" if shutil.which("hm") else str(Path(sys.executable).with_name("hm"))
