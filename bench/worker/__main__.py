"""`python -m bench.worker`: what a launcher starts: a watchdog over the worker, or over a sampler with --sample."""

import sys

from bench.worker.watchdog import main

if __name__ == "__main__":
    if sys.argv[1:2] == ["--sample"]:
        main(("-m", "bench.worker.sampler", *sys.argv[2:]))
    main(("-m", "bench.worker.conversation", *sys.argv[1:]))
