"""Pixel-to-segment contrastive losses, the four relations, and pairwise losses."""
