"""Seed label maps from class activation maps and from boxes."""
