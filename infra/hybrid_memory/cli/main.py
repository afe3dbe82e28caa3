"""Runs `hm` and tells people what went wrong in a sentence, never in a traceback (`hm --debug` shows it)."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.extras import to_install

REFUSED = 2
FAILED = 1


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line (default: this process's own), and exit: 0 done, 1 failed or not all well, 2 it could not be
    done: refused, wrongly called, or something that it needs is away.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in arguments[:1]
    try:
        from hybrid_memory.cli.program import make_program

        make_program()(args=arguments, prog_name="hm")
    except Exception as error:
        if debug:
            raise
        sentence, code = explain(error)
        print(f"hm: {sentence}", file=sys.stderr)
        sys.exit(code)
    sys.exit(0)


def explain(error: Exception) -> tuple[str, int]:
    """A sentence for people, and the exit code."""
    if isinstance(error, Refusal | Unavailable):
        return str(error), REFUSED
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("hybrid_memory"):
        return f"this needs the package {error.name}, which is not installed; {to_install('all')}", REFUSED
    if type(error).__module__.startswith("hybrid_memory."):
        return str(error), FAILED
    return f"unexpected fault: {type(error).__name__}: {error}; to see where, run: hm --debug COMMAND …", FAILED
