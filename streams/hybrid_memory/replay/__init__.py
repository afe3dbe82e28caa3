"""Classify again what the log holds: jobs that are resources, resumable, shared by workers, beside live traffic."""
