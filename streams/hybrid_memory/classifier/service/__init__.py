"""The classifier service: port 8766."""
