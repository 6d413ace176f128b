"""Folders of trainings, as MMEngine leaves them."""

from pathlib import Path

RUN = 'run'
"""Where a project keeps the run of its model."""


def last_checkpoint(folder: str | Path) -> str:
    """Return the path of the checkpoint that MMEngine wrote last.

    Raises:
        FileNotFoundError: The folder has no checkpoint.
    """
    note = Path(folder) / 'last_checkpoint'
    if not note.is_file():
        raise FileNotFoundError(f'no run has left a checkpoint in {folder}')
    # Only the name is used: the folder may have been moved.
    return str(Path(folder) / Path(note.read_text().strip()).name)
