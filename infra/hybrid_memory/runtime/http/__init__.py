"""What our HTTP services share: problem replies, body limits, strict JSON bodies, ids in paths."""

from hybrid_memory.runtime.http.bodies import json_body, read_json
from hybrid_memory.runtime.http.limits import BodyLimit
from hybrid_memory.runtime.http.paths import EncodedSlashes, PathId
from hybrid_memory.runtime.http.problems import FieldProblem, Problem, install_problems, problem_responses

__all__ = [
    "BodyLimit",
    "EncodedSlashes",
    "FieldProblem",
    "PathId",
    "Problem",
    "install_problems",
    "json_body",
    "problem_responses",
    "read_json",
]
