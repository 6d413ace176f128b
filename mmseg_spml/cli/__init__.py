"""Modules that the command-line tools share."""
