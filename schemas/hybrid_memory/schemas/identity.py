"""Who a memory is: its record key, its id, its point's id and its partition. All pure."""

import unicodedata
import uuid
from functools import lru_cache

# Fixed for ever: another namespace would give every memory another id.
_MEMORY_NAMESPACE = uuid.UUID("6f1b2a52-6d1c-5b7e-9a53-2f0f2f6f4d01")
_POINT_NAMESPACE = uuid.UUID("6f1b2a52-6d1c-5b7e-9a53-2f0f2f6f4d02")


def encode_user(user_id: str) -> str:
    """Percent-encode the three characters that structure a key: `%`, `/` and `@`."""
    return user_id.replace("%", "%25").replace("/", "%2F").replace("@", "%40")


def decode_user(encoded: str) -> str:
    """Undo :func:`encode_user`."""
    return encoded.replace("%40", "@").replace("%2F", "/").replace("%25", "%")


def memory_key(user_id: str, memory_id: str) -> str:
    """The key of a memory's records in `memories`: `user_id/memory_id`."""
    return f"{encode_user(user_id)}/{memory_id}"


def split_memory_key(key: str) -> tuple[str, str]:
    """`(user_id, memory_id)` of a key of `memories`.

    Raises:
        ValueError: the key is not one that :func:`memory_key` makes.
    """
    encoded, slash, memory_id = key.partition("/")
    user_id = decode_user(encoded)
    if not slash or not user_id or not memory_id or encode_user(user_id) != encoded:
        raise ValueError(f"key {key!r} is not of the form user_id/memory_id")
    return user_id, memory_id


def fact_key(memory_key: str, seq: int, generation: int) -> str:
    """The key of a fact in `memories.classified`: `user_id/memory_id@seq.generation`."""
    return f"{memory_key}@{seq}.{generation}"


def split_fact_key(key: str) -> tuple[str, int, int]:
    """`(memory_key, seq, generation)` of a key of `memories.classified`.

    Raises:
        ValueError: the key is not one that :func:`fact_key` makes.
    """
    memory, at, version = key.rpartition("@")
    seq, dot, generation = version.partition(".")
    if not at or not dot or not (seq + generation).isascii() or not (seq.isdigit() and generation.isdigit()):
        raise ValueError(f"key {key!r} is not of the form user_id/memory_id@seq.generation")
    split_memory_key(memory)
    if fact_key(memory, int(seq), int(generation)) != key:  # leading zeros would be a second key of the same fact
        raise ValueError(f"key {key!r} is not of the form user_id/memory_id@seq.generation")
    return memory, int(seq), int(generation)


def normalise_text(text: str) -> str:
    """The form in which two texts count as the same: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def derive_memory_id(user_id: str, text: str) -> str:
    """The id of a memory whose caller gave none: UUIDv5 of the user and the normalised text."""
    # U+0000 cannot stand in a user_id, so no two pairs share a name.
    return str(uuid.uuid5(_MEMORY_NAMESPACE, f"{user_id}\0{normalise_text(text)}"))


@lru_cache(4096)  # a memory's id is asked for four times within a step of the sink
def point_id(memory_key: str) -> str:
    """The id of a memory's point in the index: UUIDv5 of its key."""
    return str(uuid.uuid5(_POINT_NAMESPACE, memory_key))


def murmur2(data: bytes) -> int:
    """MurmurHash2 with the seed and the sign of Kafka's Java client, as a signed 32-bit integer.

    Source: `org.apache.kafka.common.utils.Utils.murmur2`; librdkafka's `murmur2` partitioner agrees.
    """
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    length = len(data)
    h = (0x9747B28C ^ length) & mask
    whole = length - length % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * m) & mask
        k ^= k >> 24
        h = ((h * m) & mask) ^ ((k * m) & mask)
    if length != whole:
        h ^= int.from_bytes(data[whole:], "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    h ^= h >> 15
    return h - (1 << 32) if h & (1 << 31) else h


def partition_of(memory_key: str, partitions: int) -> int:
    """The partition, on either topic, of every record of the memory with this key."""
    return (murmur2(memory_key.encode()) & 0x7FFFFFFF) % partitions
