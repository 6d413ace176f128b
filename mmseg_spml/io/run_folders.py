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
        earlier = Path(folder).with_name(f'{Path(folder).name}.previous')
        hint = ''
        if (earlier / 'last_checkpoint').is_file():
            hint = f'; that of an earlier run, before a change, is {earlier}'
        raise FileNotFoundError(f'no run has left a checkpoint in {folder}{hint}')
    # Only the name is used: the folder may have been moved.
    return str(Path(folder) / Path(note.read_text().strip()).name)
