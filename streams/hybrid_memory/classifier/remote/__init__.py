"""Classifiers that run elsewhere: OpenAI-compatible servers, and the classifier service."""
