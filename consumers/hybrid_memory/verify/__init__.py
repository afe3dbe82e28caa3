"""Compares the index with the log: `hm verify`, and what a running service tells of its index."""
