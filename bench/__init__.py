"""The suite: plans trials, executes them in fresh workers, stores and reports what they did."""
