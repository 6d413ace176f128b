"""What becomes of a project in whose folder a new one is written."""

import os
from pathlib import Path

from mmseg_spml.io.run_folders import RUN
from mmseg_spml.projects.config_file import ANNOTATIONS, CLASSIFIER, CONFIG, LISTS

REPLACED = 'replaced'
_STAGES = ('classifier', 'maps', 'seeds', RUN, 'samples')
# Without the cache of regions, whose files are named by the contents of images.
_OF_A_PROJECT = (
    *(CONFIG, CLASSIFIER, ANNOTATIONS, LISTS, 'report.html'),
    *_STAGES,
    *(f'{stage}.log' for stage in _STAGES),
    *('manifest.json', 'result.html', 'rounds'),
)


def set_aside(folder: Path) -> Path | None:
    """Move the files of an earlier project to ``replaced/NUMBER`` in its folder.

    They may hold labels that joined in rounds and weights of another model, which a new
    project must neither lose nor start from.

    Args:
        folder: The folder of the project.

    Returns:
        The folder of the moved files; None if there was no project.
    """
    # The config comes last: without it the folder would count as no project.
    found = [name for name in _OF_A_PROJECT[::-1] if (folder / name).exists()]
    if not found:
        return None
    number = 1
    while (folder / REPLACED / f'{number:02d}').exists():
        number += 1
    target = folder / REPLACED / f'{number:02d}'
    target.mkdir(parents=True)
    for name in found:
        os.replace(folder / name, target / name)
    return target
