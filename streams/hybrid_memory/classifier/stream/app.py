"""The Faust app: its settings, and the one agent. What each is for: docs/stream.md."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hybrid_memory.classifier.stream.consumer import StreamApp
from hybrid_memory.classifier.stream.ending import die
from hybrid_memory.classifier.stream.kafka_keys import Connection

Take = Callable[[Sequence[Any], Callable[[Any], Awaitable[Any]]], Awaitable[None]]
"""Takes a batch of events, and how to acknowledge one."""

_BUFFERED_BATCHES, _READ_BATCHES = 8, 2
"""Faust reads on until the buffer is at four fifths, and again from two fifths; what it has read by then must fit."""


def make_app(connection: Connection, group: str, topic: str, size: int, wait_seconds: float, take: Take) -> StreamApp:
    """An app that hands batches of at most `size` records of `topic` to `take`, and is started by nobody yet.

    A record waits at most `wait_seconds` for others.
    """
    # Metadata: a broker that has just started may say that the topic has no partitions. The group's leader then gives
    # nothing to anybody until it asks again, which aiokafka does after five minutes.
    options: dict[str, Any] = {
        "broker_session_timeout": 30,
        "broker_heartbeat_interval": 3,
        "consumer_metadata_max_age_ms": 5_000,
        "broker_client_id": "hybrid-memory-classifier",
        **connection.options,
    }
    app = StreamApp(
        group,
        broker=connection.brokers,
        broker_credentials=connection.credentials,
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        stream_wait_empty=True,
        stream_buffer_maxsize=_BUFFERED_BATCHES * size,
        broker_max_poll_records=_READ_BATCHES * size,
        broker_max_poll_interval=10_000_000,
        broker_rebalance_timeout=300,
        broker_commit_interval=1.0,
        stream_processing_timeout=900,
        broker_commit_livelock_soft_timeout=900,
        producer_request_timeout=60,
        consumer_auto_offset_reset="earliest",
        **options,
    )
    source = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def classify(stream: Any) -> None:
        async def acknowledge(event: Any) -> None:
            app.reader.delivered(event.message.tp, event.message.offset)
            await stream.ack(event)

        # Inline, never left by an exception: Faust would begin anew behind the records that it has in hand.
        try:
            async for events in stream.noack_take(size, within=wait_seconds):
                await take(events, acknowledge)
        except BaseException as error:
            if not app.reader.frozen:
                die("its agent was interrupted", error)
            raise

    app.agent(source, name="classify", concurrency=1)(classify)
    return app
