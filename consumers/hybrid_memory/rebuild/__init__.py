"""Builds a new generation of the index beside the one that serves, and switches over to it."""
