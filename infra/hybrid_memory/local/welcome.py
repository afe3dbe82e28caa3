"""What `hm up` says when everything is ready."""

from hybrid_memory.local.up_plan import Plan

_HEADER = "-H 'content-type: application/json'"


def welcome(plan: Plan, seconds: float) -> str:
    """Where everything is, and three commands to copy."""
    add = '{"user_id": "ada", "text": "I love the ramen place near the station"}'
    search = '{"user_id": "ada", "context": "Where shall we eat tonight?"}'
    return f"""
Ready after {seconds:.1f} s.

  API     {plan.url}  (try it out at {plan.url}/docs)
  Kafka   {plan.bootstrap_servers}
  Data    {plan.data_dir}

Add a memory, search, list the users:

  curl {plan.url}/add_memory {_HEADER} -d '{add}'
  curl {plan.url}/search {_HEADER} -d '{search}'
  curl {plan.url}/list_users

Ctrl-C stops everything.
"""
