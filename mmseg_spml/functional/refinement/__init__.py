"""Refinement of class scores into pseudo labels: random walk, dense CRF, label maps."""
