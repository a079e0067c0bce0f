"""Build the documentation: the pages of docs/, what they link to, and a reference made from the code as it is.

    scripts/docs                 into site/, after every link, anchor and picture was checked
    scripts/docs --out DIR       into another folder
    scripts/docs --serve         at http://localhost:8000 instead, or at another HOST:PORT; changes show within seconds

Before that it draws the tables of docs/article.md anew from the runs in results/reference/. Exit codes: 0 built,
1 a link leads nowhere (each is a line), 2 wrong usage.
"""

import argparse
import signal
import sys
from pathlib import Path

from links import broken_in_markdown, broken_in_site, read_by_hand
from runs import draw_tables
from site_builder import build, check_out, put, serve

from bench.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Parse the command line and do it; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, and leaves no folder behind
    parser = argparse.ArgumentParser("docs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "site", metavar="DIR", help="folder of the site")
    parser.add_argument(
        "--serve", nargs="?", const="localhost:8000", metavar="HOST:PORT", help="show it and follow changes"
    )
    asked = parser.parse_args()
    try:
        if draw_tables(ROOT / "docs" / "article.md", ROOT / "results" / "reference"):
            print("docs: drew the tables of docs/article.md anew; commit it")
        return serve(ROOT, asked.serve) if asked.serve else _build(asked.out)
    except UsageError as error:
        print(f"docs: {error}", file=sys.stderr)
    except OSError as error:
        print(f"docs: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    return 2


def _build(out: Path) -> int:
    check_out(out)
    with build(ROOT) as site:
        broken = [*broken_in_markdown(ROOT, read_by_hand(ROOT)), *(broken_in_site(site) if site else [])]
        print(*broken, sep="\n", end="\n" if broken else "", file=sys.stderr)
        if broken or site is None:
            return 1
        put(site, out)
    print(f"docs: {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
