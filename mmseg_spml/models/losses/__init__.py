"""Registered losses, which wrap the functions of ``functional.losses``."""
