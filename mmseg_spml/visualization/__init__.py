"""Pictures and pages of weak labels, segments, embeddings and predictions.

The package imports none of its modules, some of which need MMSegmentation.
"""
