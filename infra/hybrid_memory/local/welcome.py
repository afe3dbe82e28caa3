"""What `hm up` says when everything is ready."""

import shutil
import sys
from pathlib import Path

from hybrid_memory.local.up_plan import Plan

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

  export HM_KAFKA__BOOTSTRAP_SERVERS={plan.bootstrap_servers}
  echo '{add}' | {_hm()} publish

Ctrl-C stops everything.
"""


def _hm() -> str:
    """How the person can call this program: its name where the shell finds it, else its path."""
    return "hm" if shutil.which("hm") else str(Path(sys.executable).with_name("hm"))
