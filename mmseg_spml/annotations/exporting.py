"""Predictions on their way into an annotation tool."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmseg_spml.annotations.formats import (
    has_holes,
    has_masks,
    json_lines,
    tells_predictions,
    write_annotations,
)
from mmseg_spml.annotations.model import (
    AnnotationError,
    WeakAnnotation,
    checked_image_name,
)
from mmseg_spml.annotations.outlined import masked, outlined
from mmseg_spml.annotations.text_files import read_lines
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.io.csv_tables import read_csv
from mmseg_spml.io.image_folders import list_images
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.io.progress import watched

TOOLS = {
    'cvat': 'annotations.xml',
    'label_studio': 'tasks.json',
    'labelme': '',
    'coco': 'annotations.json',
    'qupath': '',
}
"""The formats of annotation tools, and the file that each reads in a folder; tools with
a file for each image read the folder itself."""
EXPORTED = 'exported.jsonl'
"""The file beside an export that says what was exported."""
CLASSES = 'classes.txt'
TABLE = 'predictions.csv'
LABELS = 'labels'
_SHAPES = ('polygons', 'masks')


@dataclass
class Export:
    """What came of an export.

    Attributes:
        path: The file or folder for the tool.
        images: How many images were written.
        shapes: How many polygons and masks they have.
        left_out: How many of these the format cannot express.
        errors: The name and the problem of each image that was left out.
    """

    path: Path
    images: int = 0
    shapes: int = 0
    left_out: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)


def tool_file(folder: str | Path, format: str) -> Path:
    """Return what a tool reads in a folder: a file, or the folder itself.

    Raises:
        ValueError: The format is not one of a tool.
    """
    if format not in TOOLS:
        raise ValueError(f'the format must be one of {sorted(TOOLS)}, got {format!r}')
    return Path(folder) / TOOLS[format]


def check_new_folder(folder: str | Path) -> None:
    """Check that a folder has no files, which may be a person's corrections.

    Raises:
        FileExistsError: It has some.
    """
    if Path(folder).is_dir() and any(Path(folder).iterdir()):
        raise FileExistsError(
            f'{folder} has files, perhaps corrections: name a new folder, or empty it'
        )


def export_predictions(
    predictions: str | Path,
    out: str | Path,
    format: str,
    *,
    images: str | Path | None = None,
    classes: Sequence[str] | None = None,
    shapes: str = 'polygons',
    only: Sequence[str] | None = None,
    **options: Any,
) -> Export:
    """Write predicted label maps as annotations that a person corrects in a tool.

    ``exported.jsonl`` in the same folder says what was written, so that what the person
    leaves as it is can be told from what the person draws.

    Args:
        predictions: The folder that ``mmseg-spml predict`` wrote, or a folder of label
            maps ``NAME.png``.
        out: The folder to write to.
        format: One of :data:`TOOLS`.
        images: The folder of the images. It is needed for labelme, whose files name
            them, and for folders without ``predictions.csv``.
        classes: The C class names; those of ``classes.txt`` if None.
        shapes: ``'polygons'`` or ``'masks'``, one for each region.
        only: The names of the images to write; all if None.
        **options: Options of :func:`~mmseg_spml.annotations.outlined.outlined`.

    Raises:
        FileNotFoundError: There are no label maps, or no class names.
        FileExistsError: ``out`` has files, which may be corrections.
        ValueError: An option is out of range, or no label map can be used.
    """
    if shapes not in _SHAPES:
        raise ValueError(f'shapes must be one of {_SHAPES}, got {shapes!r}')
    path, folder = tool_file(out, format), Path(predictions)
    if format == 'labelme' and images is None:
        raise ValueError(
            "labelme's files name the images: say where they are, --images"
        )
    if shapes == 'masks' and not has_masks(format):
        raise ValueError(f'{format} knows no masks: export polygons')
    check_new_folder(out)
    if options.get('tolerance') is not None and options['tolerance'] < 0:
        raise ValueError(f'the tolerance must be 0 or more, got {options["tolerance"]}')
    names = _class_names(folder, classes)
    unknown = sorted(set(options.get('without', ())) - set(names))
    if unknown:
        raise ValueError(f'{unknown} are none of the classes {list(names)}')
    found = _predicted_images(folder, images)
    if only is not None:
        unknown = sorted(set(only) - set(found))
        if unknown:
            raise ValueError(
                f'{len(unknown)} images have no prediction, such as {unknown[0]}'
            )
        found = {name: score for name, score in found.items() if name in set(only)}
    export = Export(path)
    if only is None:
        export.errors += _maps_without_row(folder, found)
    convert = masked
    if shapes == 'polygons':
        convert = outlined
        options['holes'] = has_holes(format)
    annotations = list(_converted(folder, list(found), names, convert, options, export))
    if not annotations:
        name, problem = export.errors[0]
        raise ValueError(f'no label map can be used; {name}: {problem}')
    # First, so that nothing is there that could be taken for all of an export.
    json_lines.write(annotations, Path(out) / EXPORTED)
    export.images = len(annotations)
    export.shapes = sum(len(one.polygons) + len(one.masks) for one in annotations)
    export.left_out = write_annotations(
        watched(annotations, 'writing'),
        path,
        format,
        classes=names,
        images=images,
        predictions=tells_predictions(format),
        scores={name: score for name, score in found.items() if score is not None},
    )
    return export


def _class_names(folder: Path, given: Sequence[str] | None) -> Sequence[str]:
    """Return the names that the ids of predictions stand for.

    Raises:
        ValueError: The predictions have other names than the given ones, or in another
            order.
        FileNotFoundError: Nothing names the classes.
    """
    path = folder / CLASSES
    if path.is_file():
        # As they were written: a name may end with a blank.
        stated = [line for line in read_lines(path) if line.strip()]
        if given and list(given) != stated:
            raise ValueError(
                f'the ids of the predictions are those of {path}, {", ".join(stated)}: '
                'leave --classes out'
            )
        return stated
    if not given:
        raise FileNotFoundError(
            f'{folder} has no {CLASSES}: name the classes in the order of their ids '
            'by --classes'
        )
    return given


def _predicted_images(
    folder: Path, images: str | Path | None
) -> dict[str, float | None]:
    """Find the names of the images of label maps, and the certainty of each."""
    table = folder / TABLE
    if table.is_file():
        try:
            return {
                checked_image_name(row['image']): float(row['mean_margin'])
                for row in read_csv(table)
            }
        except (KeyError, TypeError, ValueError) as error:
            raise AnnotationError(
                'is no table of `mmseg-spml predict`: it needs the columns image and '
                f'mean_margin ({error})',
                file=table,
            ) from error
    if images is None:
        raise FileNotFoundError(
            f'{folder} has no {TABLE}: say by --images which images its maps are of'
        )
    maps = _maps(folder)
    named: dict[str, float | None] = {
        name: None
        for name in list_images(str(images))
        if (maps / name).with_suffix('.png').is_file()
    }
    if not named:
        raise FileNotFoundError(f'{maps} has no label map NAME.png of {images}/NAME.*')
    return named


def _maps_without_row(folder: Path, rows: Iterable[str]) -> list[tuple[str, str]]:
    """Name the label maps that the table does not list, and the problem of each."""
    if not (folder / TABLE).is_file():
        return []
    maps = _maps(folder)
    listed = {str(Path(name).with_suffix('')) for name in rows}
    found = (path.relative_to(maps) for path in sorted(maps.rglob('*.png')))
    problem = f'has no row in {TABLE}: `mmseg-spml predict --skip-existing` adds it'
    return [(str(p), problem) for p in found if str(p.with_suffix('')) not in listed]


def _maps(folder: Path) -> Path:
    return folder / LABELS if (folder / LABELS).is_dir() else folder


def _converted(
    folder: Path,
    names: Sequence[str],
    classes: Sequence[str],
    convert: Callable[..., WeakAnnotation],
    options: dict[str, Any],
    export: Export,
) -> Iterator[WeakAnnotation]:
    for name in watched(names, 'outlining'):
        try:
            path = (_maps(folder) / name).with_suffix('.png')
            if not path.is_file():
                raise FileNotFoundError(f'there is no label map {path}')
            labels = read_index_map(path)
            foreign = labels[(labels >= len(classes)) & (labels != VOID)]
            if len(foreign):
                raise ValueError(
                    f'{path} has the id {foreign.max()}, but there are '
                    f'{len(classes)} classes'
                )
            yield convert(name, labels, classes, **options)
        except (ValueError, OSError) as error:
            export.errors.append((name, ' '.join(str(error).split())))
