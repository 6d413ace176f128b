"""Files, progress bars on the terminal, and the name of the processor."""
