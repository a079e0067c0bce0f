"""Stage 1: a suite file becomes a validated Suite and an ordered list of trials."""
