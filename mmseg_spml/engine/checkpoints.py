"""Checkpoints of a run that are whole, though a run may have been killed."""

import re
import zipfile
from pathlib import Path

_NUMBER = re.compile(r'(\d+)\.pth$')


def is_whole(path: str | Path) -> bool:
    """Whether a checkpoint was written to its end: a ZIP archive with its directory.

    Example:
        >>> is_whole('nowhere.pth')
        False
    """
    return zipfile.is_zipfile(path)


def newest_whole_checkpoint(folder: str | Path) -> tuple[Path | None, list[Path]]:
    """Find the checkpoint from which a run should go on.

    It is the one that MMEngine noted last if that is whole, and otherwise the whole one
    of the highest number.

    Args:
        folder: The folder of the run.

    Returns:
        The checkpoint, or None if none is whole, and the newer ones that are missing or
        damaged.
    """
    folder = Path(folder)
    candidates = sorted(folder.glob('*.pth'), key=_number, reverse=True)
    note = folder / 'last_checkpoint'
    noted = note.read_text().strip() if note.is_file() else ''
    if noted:
        # Only the name is used: the folder may have been moved.
        last = folder / Path(noted).name
        candidates = [last, *(path for path in candidates if path != last)]
    for number, path in enumerate(candidates):
        if is_whole(path):
            return path, candidates[:number]
    return None, candidates


def _number(path: Path) -> int:
    match = _NUMBER.search(path.name)
    return int(match.group(1)) if match else -1
