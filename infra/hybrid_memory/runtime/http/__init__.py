"""What our HTTP services share: who may, problem replies, limits, strict JSON bodies, ids in paths."""

from hybrid_memory.runtime.http.bodies import json_body, read_json
from hybrid_memory.runtime.http.docs_page import add_docs_page
from hybrid_memory.runtime.http.guard import Guard, make_guard, require_user, require_users
from hybrid_memory.runtime.http.hardening import harden
from hybrid_memory.runtime.http.limits import BodyLimit
from hybrid_memory.runtime.http.paths import EncodedSlashes, PathId
from hybrid_memory.runtime.http.problems import FieldProblem, Problem, install_problems, problem_responses

__all__ = [
    "BodyLimit",
    "EncodedSlashes",
    "FieldProblem",
    "Guard",
    "PathId",
    "Problem",
    "add_docs_page",
    "harden",
    "install_problems",
    "json_body",
    "make_guard",
    "problem_responses",
    "read_json",
    "require_user",
    "require_users",
]
