"""Contrastive losses of the four relations, pairwise losses, and box tightness."""
