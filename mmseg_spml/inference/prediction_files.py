"""The files of a predicted image: labels, probabilities, uncertainty, overlay.

Letters: H, W image size; C classes.
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import torch
from torch import Tensor

from mmseg_spml.functional.uncertainty import normalized_entropy, probability_margin
from mmseg_spml.inference.image_files import georeference, write_label_tiff
from mmseg_spml.io.atomic_file import atomic_file
from mmseg_spml.io.images import write_image
from mmseg_spml.io.index_maps import write_index_map

_OVERLAY_SIDE = 2048
_OPACITY = 0.5


@dataclass(frozen=True)
class PredictionFiles:
    """The files to write for each image, below a folder.

    Attributes:
        out: The folder.
        classes: The C class names.
        palette: The C RGB colors of the classes.
        probabilities: Whether to write ``probabilities/NAME.npz``.
        uncertainty: Whether to write ``entropy/NAME.png`` and ``margin/NAME.png``.
        overlays: Whether to write ``overlays/NAME.jpg``.
    """

    out: Path
    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    probabilities: bool = False
    uncertainty: bool = False
    overlays: bool = True

    def are_there(self, name: str, since: float) -> bool:
        """Whether all files of an image have been written since a time in seconds."""
        wanted = [self._labels_path(name)]
        if self.probabilities:
            wanted.append(self._path('probabilities', name, '.npz'))
        if self.uncertainty:
            wanted += [self._path(k, name, '.png') for k in ('entropy', 'margin')]
        if self.overlays:
            wanted.append(self._path('overlays', name, '.jpg'))
        return all(path.is_file() and path.stat().st_mtime >= since for path in wanted)

    def has_labels(self, name: str) -> bool:
        """Whether the label map of an image has been written."""
        return self._labels_path(name).is_file()

    def _labels_path(self, name: str) -> Path:
        return self._path('labels', name, '.png')

    def write(
        self,
        name: str,
        source: Path,
        image: np.ndarray,
        bands: Iterable[tuple[int, Tensor]],
        labels_of: Callable[[Tensor], Tensor],
    ) -> dict[str, float | int | str]:
        """Write the files of an image, and summarize it.

        Args:
            name: The path of the image below the folder of images.
            source: The file of the image.
            image: (H, W, 3) uint8 RGB, for the overlay.
            bands: The first row and the probabilities (C, rows, W) of each band, from
                top to bottom.
            labels_of: A function of the class ids (rows, W) of probabilities.

        Returns:
            A row of the table of images.
        """
        height, width = image.shape[:2]
        number = len(self.classes)
        labels = np.empty((height, width), np.uint8 if number <= 256 else np.uint16)
        maps = {
            key: np.empty((height, width), np.uint8)
            for key in (('entropy', 'margin') if self.uncertainty else ())
        }
        counts = np.zeros(number, np.int64)
        sums = dict(mean_entropy=0.0, mean_margin=0.0)
        # The file has no name, so that nothing is left of it after a kill.
        with tempfile.TemporaryFile(dir=self.out) as storage:
            kept = None
            for top, band in bands:
                rows = slice(top, top + band.shape[1])
                labels[rows] = labels_of(band).numpy()
                # NumPy takes eight bytes a pixel to count, which is too much at once.
                counts += np.bincount(labels[rows].ravel(), minlength=number)
                of_band = dict(
                    entropy=normalized_entropy(band), margin=probability_margin(band)
                )
                for key, values in of_band.items():
                    sums[f'mean_{key}'] += float(values.sum(dtype=torch.double))
                    if key in maps:
                        bytes_ = (values * 255).round().to(torch.uint8)
                        maps[key][rows] = bytes_.numpy()
                if self.probabilities:
                    if kept is None:
                        shape = (len(band), height, width)
                        kept = _on_disk(storage, shape, self.out)
                    kept[:, rows] = band.to(torch.float16).numpy()
            if kept is not None:
                with atomic_file(self._path('probabilities', name, '.npz')) as file:
                    np.savez(file, probabilities=kept, classes=np.array(self.classes))
        for key, map_ in maps.items():
            write_index_map(str(self._path(key, name, '.png')), map_)
        if self.overlays:
            self._write_overlay(name, image, labels)
        self._write_labels(name, source, labels)
        shares = (counts / labels.size).tolist()
        return {
            'image': name,
            'width': width,
            'height': height,
            **{key: round(value / labels.size, 5) for key, value in sums.items()},
            **{f'share_{c}': round(n, 5) for c, n in zip(self.classes, shares)},
        }

    def _write_labels(self, name: str, source: Path, labels: np.ndarray) -> None:
        """Write the label map last: it says that an image is done."""
        tags = georeference(source)
        if tags:
            write_label_tiff(self._path('labels', name, '.tif'), labels, tags)
        write_index_map(str(self._labels_path(name)), labels)

    def _write_overlay(self, name: str, image: np.ndarray, labels: np.ndarray) -> None:
        scale = min(1.0, _OVERLAY_SIDE / max(labels.shape))
        size = tuple(max(1, round(side * scale)) for side in labels.shape[::-1])
        # A view is copied here, when the memory of the prediction is free again.
        whole = np.ascontiguousarray(image)
        small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        shown = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        colors = np.asarray(self.palette, np.uint8)[shown]
        blended = cv2.addWeighted(small, 1 - _OPACITY, colors, _OPACITY, 0)
        write_image(self._path('overlays', name, '.jpg'), blended)

    def _path(self, kind: str, name: str, suffix: str) -> Path:
        return (self.out / kind / name).with_suffix(suffix)


def _on_disk(storage: IO[bytes], shape: tuple[int, ...], folder: Path) -> np.memmap:
    """Make an array of float16 in a file, whose space is taken at once.

    Writing to memory that a full disk has no place for would end the process.
    """
    size = 2 * math.prod(shape)
    try:
        if hasattr(os, 'posix_fallocate'):
            os.posix_fallocate(storage.fileno(), 0, size)
        else:
            storage.truncate(size)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
    return np.memmap(storage, np.float16, 'r+', shape=shape)
