"""Where a run comes to rest, and which kind of rest it is."""
