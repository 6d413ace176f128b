"""Measures what kills, damaged files and full disks do to the commands."""
