"""Files of suggestions: a page, a table, a list, and points for an annotation tool."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmseg_spml.annotations.exporting import tool_file
from mmseg_spml.annotations.formats import tells_predictions, write_annotations
from mmseg_spml.annotations.model import Point, WeakAnnotation
from mmseg_spml.annotations.voc_classes import voc_palette
from mmseg_spml.inference.suggestion import Suggestion
from mmseg_spml.inference.suggestion_page import suggestion_page
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.csv_tables import write_csv
from mmseg_spml.io.images import read_picture

POINTS = 'points'


def write_suggestions(
    suggestions: Sequence[Suggestion],
    cfg: Config,
    images: str | Path,
    out: str | Path,
    tool: str | None = None,
) -> None:
    """Write ``suggestions.html``, ``suggestions.csv``, ``images.txt`` and points.

    Args:
        suggestions: The suggestions, the most important one first.
        cfg: The config of the model, with the names and colors of the classes.
        images: The folder of the images.
        out: The folder to write to.
        tool: The annotation tool that gets ``points/``; None for no points.

    Raises:
        ValueError: The tool is unknown.
    """
    out = Path(out)
    meta = cfg.train_dataloader.dataset.metainfo
    classes = tuple(meta['classes'])
    palette = meta.get('palette') or voc_palette(len(classes))

    def read(name: str) -> np.ndarray:
        return read_picture(Path(images, name))

    page = suggestion_page(suggestions, read, classes, palette)
    _write(out / 'suggestions.html', page)
    _write(out / 'images.txt', ''.join(f'{one.image}\n' for one in suggestions))
    write_csv(out / 'suggestions.csv', _rows(suggestions, classes))
    if tool is not None:
        write_annotations(
            [_with_points(one, classes) for one in suggestions],
            tool_file(out / POINTS, tool),
            tool,
            classes=classes,
            images=images,
            predictions=tells_predictions(tool),
            scores={one.image: one.score for one in suggestions},
        )


def _with_points(suggestion: Suggestion, classes: Sequence[str]) -> WeakAnnotation:
    points = [Point(classes[c.guess], c.x, c.y) for c in suggestion.clicks]
    return WeakAnnotation(suggestion.image, *suggestion.size, points=points)


def _rows(
    suggestions: Sequence[Suggestion], classes: Sequence[str]
) -> Iterator[list[object]]:
    """Yield the header and a row for each click."""
    yield ['rank', 'image', 'score', 'click', 'x', 'y', 'guess', 'probability']
    for rank, one in enumerate(suggestions, 1):
        for number, click in enumerate(one.clicks, 1):
            place = [f'{click.x:.1f}', f'{click.y:.1f}']
            guess = [classes[click.guess], f'{click.probability:.3f}']
            yield [rank, one.image, f'{one.score:.5f}', number, *place, *guess]


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())
