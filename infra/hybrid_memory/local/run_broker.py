"""`hm broker run`: the broker in the foreground."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from hybrid_memory.local.broker import Broker
from hybrid_memory.local.progress import shown_progress
from hybrid_memory.local.up_plan import broker_folder
from hybrid_memory.runtime.settings import Settings

_POLL_SECONDS = 0.5


def run_broker(settings: Settings, port: int | None, say: Callable[[str], None]) -> int:
    """Run until SIGINT or SIGTERM (returns 0), or until the broker dies (returns 1).

    Raises:
        Refusal, BrokerError: as `Broker.start`.
    """
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, stop)
    with shown_progress("downloading Kafka") as progress:
        broker = Broker(broker_folder(settings.data_dir), cache_dir=settings.cache_dir, port=port, progress=progress)
        broker.start()
    say(f"Kafka answers at {broker.bootstrap_servers}; its log is {broker.log_file}")
    while not asked_to_stop.wait(_POLL_SECONDS) and broker.running:
        continue
    died = not asked_to_stop.is_set()
    broker.stop()
    say(f"the broker died; see {broker.log_file}" if died else "the broker stopped")
    return 1 if died else 0
