"""The classifier stream: `memories` in, facts out, by a Faust worker that is kept as thin as it can be."""
