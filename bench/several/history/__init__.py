"""One machine through time: its runs in order, a series for each figure of each cell, and where levels shifted."""
