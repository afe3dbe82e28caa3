"""Classifiers by a small language model in this process: Qwen by transformers."""
