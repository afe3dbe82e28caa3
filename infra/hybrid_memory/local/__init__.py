"""One machine: a real Kafka broker, and processes that are started, watched and stopped together."""

from hybrid_memory.local.broker import Broker
from hybrid_memory.local.errors import BrokerError

__all__ = ["Broker", "BrokerError"]
