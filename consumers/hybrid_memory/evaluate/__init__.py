"""`hm eval`: how good the answers are, on memories and questions of one's own."""
