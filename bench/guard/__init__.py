"""Stage 5: what differs between runs, and whether that is a change."""
