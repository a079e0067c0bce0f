"""A file for each command, from what was asked to what is printed and written; bench.cli and its neighbours parse."""
