"""`hm classify serve` with a classifier that tests know, in place of a model: python -m tests.service_process"""

from hybrid_memory.classifier.choose import Choice
from hybrid_memory.classifier.service.serve import serve
from hybrid_memory.runtime.settings import load_settings
from tests.unit.classifier.service.doubles import Echo

if __name__ == "__main__":
    serve(load_settings(), lambda settings: (Echo(), Choice("qwen", "the tests know what it says")))
