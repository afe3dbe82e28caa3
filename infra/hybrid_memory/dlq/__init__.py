"""Dead letters of any Kafka topic: list, show, redrive, drop. Knows no component; `hm dlq` is its face."""
