"""Who is to classify, decided by the component that knows: asked through its command, since this floor knows none."""

import json
import subprocess
import sys
from dataclasses import dataclass

from hybrid_memory.runtime.errors import Refusal

RULES = "rules"
_SECONDS = 60.0
_COMMAND = (sys.executable, "-m", "hybrid_memory.cli", "classify", "which", "--json")


@dataclass(frozen=True, slots=True)
class Decision:
    """`kind` is rules or what answers in their place; `why` a sentence."""

    kind: str
    why: str

    @property
    def by_a_model(self) -> bool:
        """Whether a classifier stream is worth running: the sink applies the rules by itself."""
        return self.kind != RULES


def decide() -> Decision:
    """Which classifier the settings of this environment come to.

    Raises:
        Refusal: the one that was asked for cannot be had; the sentence says what to do.
    """
    try:
        done = subprocess.run(_COMMAND, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if done.returncode == 0:
            return Decision(**json.loads(done.stdout))
        said = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
    except subprocess.TimeoutExpired:
        said = [f"it did not answer within {_SECONDS:.0f} s"]
    raise Refusal(said[-1].removeprefix("hm: "))
