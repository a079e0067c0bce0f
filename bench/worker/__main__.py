"""`python -m bench.worker`: what a launcher starts, the watchdog with the worker under it."""

from bench.worker.watchdog import main

if __name__ == "__main__":
    main()
