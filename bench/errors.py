"""What goes wrong because of what a user gave us."""


class UsageError(Exception):
    """Bad input: one line that names the file or option, the field and the fix; the command exits with 2."""
