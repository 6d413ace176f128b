"""Summary of seed label maps, and their scores where there are full masks."""

from collections.abc import Iterator, Sequence

import numpy as np

from mmseg_spml.datasets.seed_files import SeedFile
from mmseg_spml.evaluation.label_report import write_label_report
from mmseg_spml.functional.labels.confusion import class_scores, mean_of_defined


def report_seeds(
    files: Sequence[SeedFile],
    classes: Sequence[str],
    truth: str | None = None,
    path: str | None = None,
    command: str = '',
) -> Iterator[str]:
    """Yield the lines of a summary, and write the scores to a file if there is one.

    Args:
        files: What came of each image.
        classes: The C class names.
        truth: The folder of the full masks, if there were any.
        path: The JSON file for the scores, if they should be written.
        command: The command that made the seeds, for that file.
    """
    made = [file for file in files if file.error is None]
    confusions = {f.name: f.confusion for f in made if f.confusion is not None}
    labeled = float(np.mean([file.labeled for file in made])) if made else 0.0
    if made:
        yield f'{len(made)} label maps, {labeled:.1%} of an image labeled on average'
    if truth is not None:
        yield f'{len(confusions)} of them have a mask'
    if not confusions:
        return
    scores = class_scores(np.sum([*confusions.values()], axis=0))
    yield '\n| class | IoU | precision | recall |\n|---|---|---|---|'
    rows = [*zip(classes, *scores.values())]
    rows.append(('mean', *(mean_of_defined(values) for values in scores.values())))
    for name, *values in rows:
        yield f'| {name} | ' + ' | '.join(f'{value:.1f}' for value in values) + ' |'
    if path is not None:
        write_label_report(
            path, confusions, classes, 'training', command=command, labeled=labeled
        )
