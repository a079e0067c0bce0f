"""What commands print, and what `bench run` shows while it runs."""

from bench.display.console import NARROWEST, result_console, say, warn

__all__ = ["NARROWEST", "result_console", "say", "warn"]
