"""Mem0's changes into `memories`: hints from webhook, feed and reconciliation, one publisher, and a tap for OSS."""
