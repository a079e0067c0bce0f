"""Stage 3: the one reader and writer of results/."""
