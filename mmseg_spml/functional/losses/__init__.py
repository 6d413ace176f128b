"""The contrastive core, the four relations, and losses of pairs of pixels."""
