"""Machines side by side: all runs over one reference, cell by cell. It describes, and judges nothing."""
