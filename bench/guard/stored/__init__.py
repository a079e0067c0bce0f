"""Stored runs side by side, and one judged by others."""
