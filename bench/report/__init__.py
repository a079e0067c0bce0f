"""Stage 4: tables and plots from stored runs alone."""
