"""Stage 5: two things compared: A and B live in turn, stored runs, and the gate for CI."""
