"""Each text's own answer, whatever the others do to the classifier."""

import traceback
from collections.abc import Sequence

from hybrid_memory.classifier.port import Answer, Classifier
from hybrid_memory.runtime.deadletters import Failure
from hybrid_memory.runtime.errors import Refusal, Unavailable

STAGE = "classify"


def classify_each(texts: Sequence[str], classifier: Classifier) -> list[Answer | Failure]:
    """An answer a text, in their order. A text that makes the classifier raise is found by halving, and alone fails.

    Raises:
        Unavailable, Refusal: the classifier cannot answer at all, for a while or until somebody mends it.
    """
    if not texts:
        return []
    try:
        answers = classifier.classify(texts)
        if len(answers) != len(texts):
            raise ValueError(f"the classifier gave {len(answers)} answers to {len(texts)} texts")
    except (Unavailable, Refusal):
        raise
    except Exception as error:
        if len(texts) == 1:
            return [Failure("poison", type(error).__name__, str(error), STAGE, traceback.format_exc())]
        middle = len(texts) // 2
        return [*classify_each(texts[:middle], classifier), *classify_each(texts[middle:], classifier)]
    return list(answers)
