"""Mem0's open-source memory: a tap inside its process, and a tail beside one that nobody may change."""
