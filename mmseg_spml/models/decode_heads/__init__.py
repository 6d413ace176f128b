"""SPML head, segment memory and segment bank."""
