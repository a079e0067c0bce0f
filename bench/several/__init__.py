"""Reports over several runs: machines side by side, and one machine through time. They describe; guard judges."""
