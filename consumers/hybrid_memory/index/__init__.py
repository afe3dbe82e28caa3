"""The view of the log that can be searched: points, the store that keeps them, the embedder that makes vectors."""
