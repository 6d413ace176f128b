"""Which images to label next, and where to click in them.

Letters: C classes, D embedding, S segments, K known segments.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmseg.apis import init_model
from mmseg.registry import DATASETS, TRANSFORMS
from torch import Tensor

from mmseg_spml.functional.selection import select_images, select_segments
from mmseg_spml.inference.image_files import load_image
from mmseg_spml.inference.segmented_images import ImageSegmenter, SegmentedImage
from mmseg_spml.inference.test_pipeline import loading_step
from mmseg_spml.io.image_folders import chosen_images
from mmseg_spml.io.images import READABLE_SUFFIXES
from mmseg_spml.io.limits import check_image
from mmseg_spml.io.progress import watched
from mmseg_spml.visualization.split_samples import without_regions


@dataclass(frozen=True)
class Click:
    """A place to click on.

    Attributes:
        x: The column, continuous.
        y: The row, continuous.
        guess: The class id that the model finds most probable.
        probability: The probability of that class, 0 to 1.
    """

    x: float
    y: float
    guess: int
    probability: float


@dataclass(frozen=True)
class Suggestion:
    """An image that is worth labeling.

    Attributes:
        image: The name of the image.
        size: (H, W).
        score: The sum over its segments of share, uncertainty, rarity and novelty
            multiplied; 0 to 1.
        clicks: Where to click, the most important place first.
    """

    image: str
    size: tuple[int, int]
    score: float
    clicks: tuple[Click, ...]


class KnownSegments:
    """The labeled segments, from which new ones should differ.

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        self._parts: list[Tensor] = []
        self._images: Counter[int] = Counter()
        self.num_classes = num_classes

    def add(self, image: SegmentedImage) -> None:
        """Add the labeled segments of an image."""
        labeled = image.labels < self.num_classes
        self._parts.append(image.prototypes[labeled])
        self._images.update(image.labels[labeled].unique().tolist())

    def prototypes(self, dim: int) -> Tensor:
        """Return the prototypes (K, D) for D = ``dim``."""
        return torch.cat([torch.empty(0, dim), *self._parts])

    def rarity(self) -> Tensor:
        """Return the weight of each class, (C,) in (0, 1].

        It is the inverse root of one more than the number of images in which the class
        is labeled, relative to that of the rarest class.
        """
        images = torch.tensor([self._images[c] for c in range(self.num_classes)])
        weights = (1.0 + images).rsqrt()
        return weights / weights.max()


def suggest(
    names: Sequence[str],
    images: Iterable[SegmentedImage],
    known: KnownSegments,
    count: int,
    clicks: int = 5,
) -> list[Suggestion]:
    """Choose images to label, and segments in them to click on.

    The weight of a segment is its share of the image, times its uncertainty, times the
    expected rarity of its class; images are chosen by
    :func:`~mmseg_spml.functional.selection.select_images`.

    Args:
        names: The name of each image.
        images: The images, split by one model.
        known: The segments that are labeled.
        count: How many images to choose.
        clicks: How many places to choose in each.

    Returns:
        The chosen images, the best first; fewer if there are no more.
    """
    images = list(images)
    if not images:
        return []
    rarity = known.rarity()
    prototypes = torch.cat([image.prototypes for image in images])
    weights = [
        image.shares * image.uncertainty * (image.probabilities @ rarity)
        for image in images
    ]
    owners = torch.arange(len(images)).repeat_interleave(
        torch.tensor([len(image.labels) for image in images])
    )
    labeled = known.prototypes(prototypes.shape[1])
    chosen = select_images(prototypes, torch.cat(weights), owners, labeled, count)
    return [
        Suggestion(
            names[number],
            images[number].size,
            score,
            _clicks(images[number], weights[number], labeled, clicks),
        )
        for number, score in chosen
    ]


def _clicks(
    image: SegmentedImage, weights: Tensor, known: Tensor, count: int
) -> tuple[Click, ...]:
    found = []
    for segment in select_segments(image.prototypes, weights, known, count):
        x, y = image.inner_point(segment)
        probability, guess = image.probabilities[segment].max(dim=0)
        found.append(Click(x, y, int(guess), float(probability)))
    return tuple(found)


def suggest_from_folder(
    cfg: Config,
    checkpoint: str | Path,
    images: str | Path,
    *,
    count: int = 20,
    clicks: int = 5,
    among: Sequence[str] | None = None,
    device: str = 'cpu',
) -> tuple[list[Suggestion], list[tuple[str, str]]]:
    """Choose images of a folder that have no labeled pixels and are not held out.

    Args:
        cfg: The config of the model; its training images are the labeled ones, and
            those of its validation are held out.
        checkpoint: The checkpoint of the model.
        images: The folder of images, with subfolders.
        count: How many images to choose.
        clicks: How many places to choose in each.
        among: The names of the images to choose among, below the folder; None: all.
        device: The device to compute on.

    Returns:
        The chosen images, the best first, and the name and the problem of each image
        that could not be read.

    Raises:
        FileNotFoundError: There are no images, or no checkpoint.
        ValueError: All images are labeled or held out, an image of ``among`` is
            missing, or the config does not fit.
    """
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f'there is no checkpoint {checkpoint}')
    model = init_model(cfg, str(checkpoint), device=device)
    segmenter = ImageSegmenter(model)
    known, labeled = _known_segments(segmenter, cfg)
    names = chosen_images(images, READABLE_SUFFIXES, among)
    taken = labeled | _held_out(cfg)
    names = [name for name in names if Path(images, name).resolve() not in taken]
    if not names:
        raise ValueError(
            f'all images of {images} are labeled or held out: nothing to suggest'
        )
    load = TRANSFORMS.build(loading_step(cfg))
    found: dict[str, SegmentedImage] = {}
    errors: list[tuple[str, str]] = []
    for name in watched(names, 'looking at images'):
        try:
            check_image(Path(images, name))
            found[name] = segmenter(load_image(load, Path(images, name)))
        except (ValueError, OSError, MemoryError, RuntimeError, cv2.error) as error:
            errors.append((name, ' '.join(str(error).split())))
    return suggest(list(found), found.values(), known, count, clicks), errors


def _known_segments(
    segmenter: ImageSegmenter, cfg: Config
) -> tuple[KnownSegments, set[Path]]:
    """Find the labeled segments of the training images, and the files of these."""
    dataset = without_regions(cfg)
    known = KnownSegments(segmenter.model.num_classes)
    paths = set()
    numbers = np.flatnonzero(dataset.labeled()).tolist()
    for number in watched(numbers, 'looking at labeled images'):
        item = dataset[number]
        sample = item['data_samples']
        image = item['inputs'].permute(1, 2, 0).numpy()
        known.add(segmenter(image, sample.gt_sem_seg.data[0].numpy()))
        paths.add(Path(sample.img_path).resolve())
    return known, paths


def _held_out(cfg: Config) -> set[Path]:
    """Find the files of the images that the model is measured on."""
    loader = cfg.get('val_dataloader') if cfg.get('val_cfg') else None
    if loader is None:
        return set()
    dataset = DATASETS.build(dict(loader.dataset, pipeline=[]))
    infos = map(dataset.get_data_info, range(len(dataset)))
    return {Path(info['img_path']).resolve() for info in infos}
