"""The benchmark: how fast the main path is, as ratios to what the embedder alone needs in the same run."""
