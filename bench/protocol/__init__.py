"""The conversation of a trial: what the parent says to a worker, and what that answers."""
