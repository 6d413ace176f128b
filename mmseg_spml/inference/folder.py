"""Prediction of all images of a folder, or of one image."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmseg.apis import init_model
from mmseg.registry import TRANSFORMS

from mmseg_spml.annotations.exporting import CLASSES, LABELS, TABLE
from mmseg_spml.inference.bit_depth import doubt_of_depth
from mmseg_spml.inference.image_files import load_image
from mmseg_spml.inference.prediction_files import PredictionFiles
from mmseg_spml.inference.test_pipeline import loading_step
from mmseg_spml.inference.tiled_predictor import TiledPredictor
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.csv_tables import read_csv, write_csv_of_dicts
from mmseg_spml.io.image_folders import check_outside_of_images, chosen_images
from mmseg_spml.io.images import READABLE_SUFFIXES, three_bands
from mmseg_spml.io.progress import watched
from mmseg_spml.models.data_preprocessor import swaps_channels


@dataclass
class FolderSummary:
    """What came of the images of a folder.

    Attributes:
        rows: The row of each image that was predicted, the least certain one first.
        skipped: The names of images whose files were there.
        errors: The name and the problem of each image that could not be predicted.
        doubts: The name of each image whose values may be none that the model knows,
            and the reason.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)


def predict_folder(
    cfg: Config,
    checkpoint: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    device: str = 'cpu',
    probabilities: bool = False,
    uncertainty: bool = False,
    overlays: bool = True,
    skip_existing: bool = False,
    only: Sequence[str] | None = None,
    **options: Any,
) -> FolderSummary:
    """Predict all images of a folder and its subfolders, and write label maps.

    The label map of ``a/b.jpg`` is ``labels/a/b.png`` in the folder ``out``, an 8-bit
    PNG of class ids (16-bit above 256 classes), beside a GeoTIFF ``labels/a/b.tif`` if
    the image has a georeference. ``classes.txt`` has the names of the classes, and
    ``predictions.csv`` lists the images, the least certain first. An image that cannot
    be predicted does not stop the others.

    Args:
        cfg: The config of the model.
        checkpoint: The checkpoint of the model.
        images: The folder of images, or one image, whose files are named like it and
            replace those of an earlier one of its name.
        out: The folder to write to.
        device: The device to compute on.
        probabilities: Whether to write ``probabilities/a/b.npz`` with the arrays
            ``probabilities``, (C, H, W) float16, and ``classes``, the C names.
        uncertainty: Whether to write ``entropy/a/b.png`` (255: all classes are equally
            probable) and ``margin/a/b.png`` (255: one class is certain).
        overlays: Whether to write ``overlays/a/b.jpg``, the image in class colors.
        skip_existing: Whether to leave images alone whose files are all there and not
            older than the checkpoint, as those of an earlier training are.
        only: The names of the images to predict, below the folder; None: all.
        **options: Options of :class:`TiledPredictor`.

    Raises:
        FileNotFoundError: There are no images, or no checkpoint.
        ValueError: ``out`` is the folder of the images or has predictions of other
            classes, two images would share a label map, an image of ``only`` is
            missing, ``only`` is given with one image, or the config or an option does
            not fit.
    """
    if Path(images).is_file():
        images, names = _single_image(Path(images), only)
    else:
        names = chosen_images(images, READABLE_SUFFIXES, only)
        check_outside_of_images(out, images)
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f'there is no checkpoint {checkpoint}')
    load = TRANSFORMS.build(loading_step(cfg))
    model = init_model(cfg, str(checkpoint), device=device)
    predictor = TiledPredictor(model, **options)
    meta = model.dataset_meta
    files = PredictionFiles(
        Path(out),
        meta['classes'],
        meta['palette'],
        probabilities=probabilities,
        uncertainty=uncertainty,
        overlays=overlays,
    )
    _write_classes(Path(out), meta['classes'])
    summary = FolderSummary()
    earlier = _earlier_rows(Path(out, TABLE), files)
    trained = Path(checkpoint).stat().st_mtime
    try:
        for name in watched(names, 'predicting'):
            # An image without a row is of a call that was killed.
            if skip_existing and name in earlier and files.are_there(name, trained):
                summary.skipped.append(name)
                continue
            try:
                path = Path(images, name)
                image = load_image(load, path)
                doubt = doubt_of_depth(path, image, model.data_preprocessor)
                if doubt is not None:
                    summary.doubts.append((name, doubt))
                row = files.write(
                    name,
                    path,
                    _rgb(image, model),
                    predictor.bands(image),
                    predictor.labels_of,
                )
                summary.rows.append(row)
            # RuntimeError: PyTorch is out of memory.
            except (
                *(ValueError, OSError, MemoryError, ImportError),
                *(RuntimeError, cv2.error),
            ) as error:
                summary.errors.append((name, ' '.join(str(error).split())))
    finally:  # also after an interruption
        summary.rows.sort(key=lambda row: -row['mean_entropy'])
        rows = _joined(earlier, summary.rows)
        if rows:
            write_csv_of_dicts(Path(out, TABLE), rows)
    return summary


def _single_image(path: Path, only: Sequence[str] | None) -> tuple[Path, list[str]]:
    """Return the folder and the name of one image, in the form of a folder's list."""
    if only is not None:
        raise ValueError(f'a list of images is of a folder, and {path} is one image')
    if path.suffix.lower() not in READABLE_SUFFIXES:
        raise ValueError(
            f'{path} has none of the suffixes of images, {", ".join(READABLE_SUFFIXES)}'
        )
    return path.parent, [path.name]


def _write_classes(out: Path, classes: Sequence[str]) -> None:
    """Write the names of the classes.

    Raises:
        ValueError: The folder has label maps of other classes, whose ids would get the
            names of these.
    """
    path = out / CLASSES
    text = ''.join(f'{name}\n' for name in classes)
    if path.is_file() and any((out / LABELS).rglob('*.png')):
        earlier = path.read_text(encoding='utf-8')
        if earlier != text:
            raise ValueError(
                f'{out} has predictions of a model of the classes '
                f'{", ".join(earlier.splitlines())}, this one has '
                f'{", ".join(classes)}: name another folder to write to'
            )
    with atomic_file(path) as file:
        file.write(text.encode())


def _earlier_rows(table: Path, files: PredictionFiles) -> dict[str, dict[str, Any]]:
    """Read the rows, by image, of earlier predictions whose label maps still exist."""
    if not table.is_file():
        return {}
    rows = {row.get('image', ''): row for row in read_csv(table)}
    return {
        name: row
        for name, row in rows.items()
        if name and 'mean_entropy' in row and files.has_labels(name)
    }


def _joined(
    earlier: dict[str, dict[str, Any]], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Join rows, the least certain first; columns that a person has added stay."""
    written = {os.path.splitext(row['image'])[0] for row in rows}
    # The map of an image of another suffix has been replaced.
    joined = {
        name: row
        for name, row in earlier.items()
        if os.path.splitext(name)[0] not in written
    }
    for row in rows:
        joined[row['image']] = {**earlier.get(row['image'], {}), **row}
    keys = dict.fromkeys(key for row in joined.values() for key in row)
    return [
        {key: row.get(key, '') for key in keys}
        for row in sorted(joined.values(), key=lambda row: -float(row['mean_entropy']))
    ]


def _rgb(image: np.ndarray, model: Any) -> np.ndarray:
    """Show an image of any bands and depth as (H, W, 3) uint8 RGB."""
    shown = three_bands(image)
    if swaps_channels(model.data_preprocessor):
        shown = shown[..., ::-1]
    return shown
