"""The reference pages: what the code says of itself, read as the site is built, so that nothing can be forgotten."""

from collections.abc import Callable

from reference_code import commands_page, exit_codes_page, python_page
from reference_columns import columns_page
from reference_models import stored_page, suites_page

PAGES: dict[str, Callable[[], str]] = {
    "commands": commands_page,
    "exit-codes": exit_codes_page,
    "suites": suites_page,
    "columns": columns_page,
    "stored": stored_page,
    "python": python_page,
}
"""Each page by its name, and what writes it."""


def reference_pages() -> dict[str, str]:
    """The Markdown of every page."""
    return {name: page() for name, page in PAGES.items()}
