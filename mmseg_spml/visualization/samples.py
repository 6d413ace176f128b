"""What a model makes of training images, step by step, as one picture.

Letters: N images, H, W image size, h, w embedding size, C classes,
D embedding, P pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional, Union

import cv2
import numpy as np
import torch
from mmengine.model import BaseModel
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.functional.segments import VOID, resize_labels
from mmseg_spml.visualization.panels import (
    Colour,
    EmbeddingColours,
    colourise,
    draw_segment_outlines,
    embedding_to_rgb,
    fit_colours,
    overlay_weak_labels,
    panel_grid,
)

LOADING = (
    'LoadImageFromFile',
    'LoadWeakAnnotations',
    'LoadRegions',
    'ExpandLabelsToRegions',
    'UnlabelledToVoid',
    'PackWeakSegInputs',
)
"""Transforms that load; all others augment and are left out of pictures."""


class SamplePanels(NamedTuple):
    """One image at its own size, and what the model makes of it.

    ``image`` (H, W, 3) uint8 RGB; ``weak``, ``prediction`` and ``truth``
    (H, W) label maps (``truth`` may be None); ``segments`` (H, W) int64 ids,
    -1 void; ``embedding`` (D, h, w) float32.
    """

    image: np.ndarray
    weak: np.ndarray
    segments: np.ndarray
    embedding: np.ndarray
    prediction: np.ndarray
    truth: Optional[np.ndarray] = None


def loading_pipeline(pipeline: Sequence[dict]) -> list[dict]:
    """The transforms of a training pipeline that load and pack.

    Images without a region map, such as those of a validation split, get regions
    made from the image.

    Raises:
        ValueError: if the pipeline does not pack weak annotation.

    Example:
        >>> names = ('LoadImageFromFile', 'RandomFlip', 'PackWeakSegInputs')
        >>> [step['type'] for step in loading_pipeline([{'type': n} for n in names])]
        ['LoadImageFromFile', 'PackWeakSegInputs']
    """
    kept = [dict(step) for step in pipeline if step['type'] in LOADING]
    if not kept or kept[-1]['type'] != 'PackWeakSegInputs':
        raise ValueError(
            'the pipeline must end in PackWeakSegInputs, got '
            f'{[step["type"] for step in pipeline]}: choose a split with weak labels'
        )
    for step in kept:
        if step['type'] == 'LoadRegions' and not step.get('generate'):
            step['generate'] = {'method': 'felzenszwalb'}
    return kept


def evenly_spread(length: int, most: int) -> list[int]:
    """Indices of at most so many elements of a list, the first and last among them.

    Example:
        >>> evenly_spread(9, 3), evenly_spread(2, 5)
        ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, length - 1, min(most, length)).round().astype(int).tolist()


def segment_map(labels: Tensor, pixel_segment: Tensor) -> Tensor:
    """Put the segments of the non-void pixels back in their places.

    Args:
        labels: (N, h, w) int64 weak labels at the size of the embedding, 255
            where pixels were left out.
        pixel_segment: (P,) int64, in raster order, image by image.

    Returns:
        (N, h, w) int64, -1 where void.

    Raises:
        ValueError: if P is not the number of non-void pixels.

    Example:
        >>> segment_map(torch.tensor([[[0, 255, 2]]]), torch.tensor([4, 7]))
        tensor([[[ 4, -1,  7]]])
    """
    valid = labels != VOID
    if int(valid.sum()) != len(pixel_segment):
        raise ValueError(
            f'{int(valid.sum())} pixels are not void, but {len(pixel_segment)} '
            'have a segment: the label map must be the one that was pooled'
        )
    segments = torch.full_like(labels, -1)
    segments[valid] = pixel_segment
    return segments


@torch.no_grad()
def sample_panels(
    model: BaseModel,
    inputs: Tensor,
    data_sample: SegDataSample,
    truth: Optional[np.ndarray] = None,
) -> SamplePanels:
    """Run a model on one training sample, without augmentation.

    Args:
        model: a segmentor with SPML, in evaluation mode.
        inputs: (3, H, W) image, BGR, 0..255, uint8 or float, as a pipeline
            packs it.
        data_sample: with ``gt_sem_seg``, ``region_map`` and ``gt_tags``.
        truth: (H, W) full mask, if there is one.
    """
    size = tuple(inputs.shape[1:])
    data = {'inputs': [inputs], 'data_samples': [data_sample]}
    batch = model.data_preprocessor(data, True)
    embedding = model.embedding(batch['inputs'])
    samples = batch['data_samples']
    pooled = model.spml_neck.pool(embedding, samples, batch['inputs'])
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
    small = resize_labels(labels, tuple(embedding.shape[2:]))
    segments = segment_map(small, pooled.pixel_segment)[0]
    predicted = model.test_step(data)[0].pred_sem_seg.data
    return SamplePanels(
        image=to_rgb(inputs),
        weak=data_sample.gt_sem_seg.data[0].numpy(),
        segments=_enlarge(segments, tuple(labels.shape[1:]), size),
        embedding=_without_padding(embedding[0], tuple(labels.shape[1:]), size),
        prediction=predicted.reshape(predicted.shape[-2:]).cpu().numpy(),
        truth=truth,
    )


def embedded_pixels(samples: Sequence[SamplePanels]) -> np.ndarray:
    """Embeddings of all pixels of some samples, (P, D) float64."""
    flat = [sample.embedding.reshape(len(sample.embedding), -1) for sample in samples]
    return np.concatenate(flat, axis=1).T.astype(np.float64)


def sample_grid(
    samples: Sequence[SamplePanels],
    classes: Sequence[str],
    palette: Sequence[Colour],
    *,
    height: int = 192,
    colours: Optional[EmbeddingColours] = None,
) -> np.ndarray:
    """One row per sample: image, weak labels, segments, embedding, prediction, truth.

    The colours of the embedding are fitted to all samples together, so equal
    colours mean equal directions across images. The column of the truth is
    there if a sample has one.

    Args:
        samples: at least one.
        classes: C names, for the legend.
        palette: C RGB colours.
        height: of each picture, in pixels.
        colours: of the embedding; fitted to the samples if None.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ValueError: if there is no sample.
    """
    if not samples:
        raise ValueError('sample_grid needs at least one sample, got none')
    if colours is None:
        colours = fit_colours(embedded_pixels(samples))
    with_truth = any(sample.truth is not None for sample in samples)
    rows = []
    for number, sample in enumerate(samples):
        row = {
            'image': sample.image,
            'weak labels': overlay_weak_labels(sample.image, sample.weak, palette),
            'segments': draw_segment_outlines(sample.image, sample.segments),
            'embedding (PCA)': _resize(
                embedding_to_rgb(sample.embedding, colours)[0], sample.image
            ),
            'prediction': colourise(sample.prediction, palette),
        }
        if with_truth:
            empty = np.full_like(sample.image, 255)
            known = sample.truth is not None
            row['truth'] = colourise(sample.truth, palette) if known else empty
        titled = [(title if number == 0 else '', p) for title, p in row.items()]
        rows.append(titled)
    return panel_grid(rows, height=height, legend=(classes, palette))


def read_truth(folder: Union[str, Path], image_path: str) -> np.ndarray:
    """The full mask of an image: the file ``<stem>.png`` of a folder.

    Raises:
        FileNotFoundError: if it is missing or no grey image.
    """
    path = Path(folder) / f'{Path(image_path).stem}.png'
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2:
        raise FileNotFoundError(f'{path} is no grey label map: check the truth folder')
    return mask


def to_rgb(inputs: Tensor) -> np.ndarray:
    """A packed image, (3, H, W) BGR in 0 to 255, as (H, W, 3) uint8 RGB."""
    levels = inputs.flip(0).permute(1, 2, 0).float().round().clamp(0, 255)
    return levels.to(torch.uint8).contiguous().cpu().numpy()


def _enlarge(segments: Tensor, padded: tuple, size: tuple) -> np.ndarray:
    """(h, w) -> (H, W): to the padded image's size, then without its padding."""
    return resize_labels(segments[None], padded)[0, : size[0], : size[1]].cpu().numpy()


def _without_padding(embedding: Tensor, padded: tuple, size: tuple) -> np.ndarray:
    """The part of a (D, h, w) embedding that shows the image."""
    rows, columns = (
        max(1, round(side * image / whole))
        for side, image, whole in zip(embedding.shape[1:], size, padded)
    )
    return embedding[:, :rows, :columns].float().cpu().numpy()


def _resize(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    size = (like.shape[1], like.shape[0])
    return cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
