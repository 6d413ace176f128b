"""One picture of training images with the intermediate results of a model.

Letters: N images, H, W image size, h, w embedding size, C classes,
D embedding, P pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.model import BaseModel
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_spml.datasets.pipelines import IMAGE_LOADING
from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.pooling import resize_labels
from mmseg_spml.io.folders import named_like
from mmseg_spml.io.images import three_bands
from mmseg_spml.io.index_maps import read_index_map
from mmseg_spml.models.data_preprocessor import swaps_channels
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.visualization.embedding_colors import (
    EmbeddingColors,
    embedding_to_rgb,
    fit_colors,
)
from mmseg_spml.visualization.image_grid import image_grid
from mmseg_spml.visualization.label_maps import (
    Color,
    colorize,
    draw_segment_outlines,
    overlay_weak_labels,
)

# Transforms that load a sample; all others augment, and are left out of pictures.
_LOADING = (
    *IMAGE_LOADING,
    'LoadWeakAnnotations',
    'LoadRegions',
    'ExpandLabelsToRegions',
    'UnlabeledToVoid',
    'PackWeakSegInputs',
)


class SampleImages(NamedTuple):
    """One image at its own size, with its labels and the results of a model.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        weak: (H, W) weak label map.
        segments: (H, W) int64 ids, -1 where void.
        embedding: (D, h, w) float32.
        prediction: (H, W) predicted label map.
        truth: (H, W) full mask, or None.
        teacher: (H, W) classes that the teacher of label propagation gives the highest
            score, or None without propagation.
        targets: (H, W) classes of the highest target, 255 where void or dropped, or
            None.
        tags: The classes that are present, as far as the image has tags.
    """

    image: np.ndarray
    weak: np.ndarray
    segments: np.ndarray
    embedding: np.ndarray
    prediction: np.ndarray
    truth: np.ndarray | None = None
    teacher: np.ndarray | None = None
    targets: np.ndarray | None = None
    tags: tuple[int, ...] = ()


def loading_pipeline(pipeline: Sequence[dict]) -> list[dict]:
    """Return the transforms of a training pipeline that load and pack.

    Images without a region map, such as those of a validation split, get regions
    made from the image.

    Raises:
        ValueError: The pipeline does not pack weak annotations.

    Example:
        >>> names = ('LoadImageFromFile', 'RandomFlip', 'PackWeakSegInputs')
        >>> [step['type'] for step in loading_pipeline([{'type': n} for n in names])]
        ['LoadImageFromFile', 'PackWeakSegInputs']
    """
    kept = [dict(step) for step in pipeline if step['type'] in _LOADING]
    if not kept or kept[-1]['type'] != 'PackWeakSegInputs':
        raise ValueError(
            'the pipeline must end in PackWeakSegInputs, got '
            f'{[step["type"] for step in pipeline]}: choose a split with weak labels'
        )
    for step in kept:
        if step['type'] == 'LoadWeakAnnotations':
            step['accepted_weight'] = 1.0
        if step['type'] == 'LoadRegions' and not step.get('generate'):
            step.update(generate={'method': 'felzenszwalb'}, cache_dir=None)
    return kept


def segment_map(labels: Tensor, pixel_segment: Tensor) -> Tensor:
    """Arrange the segment ids of the non-void pixels as maps.

    Args:
        labels: (N, h, w) int64 weak labels at the size of the embedding, 255
            where pixels were left out.
        pixel_segment: (P,) int64 segment ids in raster order, image by image.

    Returns:
        (N, h, w) int64, -1 where void.

    Raises:
        ValueError: P is not the number of non-void pixels.

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
def sample_images(
    model: BaseModel,
    inputs: Tensor,
    data_sample: SegDataSample,
    truth: np.ndarray | None = None,
    predictor: str | None = None,
) -> SampleImages:
    """Run a model on one training sample, without augmentation.

    Args:
        model: A segmentor with SPML, in evaluation mode.
        inputs: (3, H, W) image, BGR, 0..255, uint8 or float, as a pipeline
            packs it.
        data_sample: A sample with ``gt_sem_seg``, ``region_map`` and ``gt_tags``.
        truth: (H, W) full mask, if there is one.
        predictor: ``'softmax'`` or ``'retrieval'``; None takes the predictor of the
            model's config.
    """
    size = tuple(inputs.shape[1:])
    data = {'inputs': [inputs], 'data_samples': [data_sample]}
    batch = model.data_preprocessor(data, True)
    embedding = model.embedding(batch['inputs'])
    samples = batch['data_samples']
    pooled = model.spml_neck.pool(embedding, samples, batch['inputs'])
    labels = torch.stack([sample.gt_sem_seg.data[0] for sample in samples])
    small = resize_labels(labels, tuple(embedding.shape[2:]))
    padded = tuple(labels.shape[1:])
    segments = segment_map(small, pooled.pixel_segment)[0]
    teacher = targets = None
    head = model.spml_head
    if head.propagation is not None:
        logits = head.teacher_logits(embedding)
        teacher = _enlarge(logits[0].argmax(dim=0), padded, size)
        images = ImageBatch.of(model, batch['inputs'], samples)
        propagated = torch.full_like(small, VOID)
        found = head.propagation.targets(logits, pooled, images)
        dropped = found.sum(dim=1) == 0
        propagated[small != VOID] = found.argmax(dim=1).masked_fill(dropped, VOID)
        targets = _enlarge(propagated[0], padded, size)
    test = model.data_preprocessor(data, False)
    (found,) = model.predict(test['inputs'], test['data_samples'], predictor=predictor)
    predicted = found.pred_sem_seg.data
    return SampleImages(
        image=to_rgb(inputs, swaps_channels(model.data_preprocessor)),
        weak=data_sample.gt_sem_seg.data[0].numpy(),
        segments=_enlarge(segments, padded, size),
        embedding=_without_padding(embedding[0], padded, size),
        prediction=predicted.reshape(predicted.shape[-2:]).cpu().numpy(),
        truth=truth,
        teacher=teacher,
        targets=targets,
        tags=_present(data_sample),
    )


def _present(sample: SegDataSample) -> tuple[int, ...]:
    """Return the classes that the tags of a sample say are present."""
    if 'gt_tags' not in sample:
        return ()
    return tuple((sample.gt_tags.label == 1).nonzero().flatten().tolist())


def embedded_pixels(samples: Sequence[SampleImages]) -> np.ndarray:
    """Join the embeddings of all pixels of the samples to (P, D) float64."""
    flat = [sample.embedding.reshape(len(sample.embedding), -1) for sample in samples]
    return np.concatenate(flat, axis=1).T.astype(np.float64)


def sample_grid(
    samples: Sequence[SampleImages],
    classes: Sequence[str],
    palette: Sequence[Color],
    *,
    height: int = 192,
    colors: EmbeddingColors | None = None,
) -> np.ndarray:
    """Draw a row of images for each sample.

    The columns are image, weak labels (with the tags of the image), segments,
    embedding, teacher and targets (both with label propagation only), prediction, and
    truth if a sample has one. The colors of the embedding are fitted to all samples
    together, so that equal colors mean equal directions across images.

    Args:
        samples: One or more samples.
        classes: The C class names for the legend.
        palette: The C RGB colors of the classes.
        height: The height of each image in pixels.
        colors: The colors of the embedding. None fits them to the samples.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ValueError: There is no sample.
    """
    if not samples:
        raise ValueError('sample_grid needs at least one sample, got none')
    if colors is None:
        colors = fit_colors(embedded_pixels(samples))
    with_truth = any(sample.truth is not None for sample in samples)
    rows = []
    for number, sample in enumerate(samples):
        row = {
            'image': sample.image,
            'weak labels': overlay_weak_labels(sample.image, sample.weak, palette),
            'segments': draw_segment_outlines(sample.image, sample.segments),
            'embedding (PCA)': _resize(
                embedding_to_rgb(sample.embedding, colors)[0], sample.image
            ),
        }
        if sample.teacher is not None and sample.targets is not None:
            row['teacher'] = colorize(sample.teacher, palette)
            row['targets'] = colorize(sample.targets, palette)
        row['prediction'] = colorize(sample.prediction, palette)
        if sample.truth is not None:
            row['truth'] = colorize(sample.truth, palette)
        elif with_truth:
            row['truth'] = np.full_like(sample.image, 255)
        titled = [(title if number == 0 else '', p) for title, p in row.items()]
        if sample.tags:
            names = ', '.join(classes[tag] for tag in sample.tags)
            title, picture = titled[1]
            titled[1] = (f'{title} ({names})' if title else names, picture)
        rows.append(titled)
    return image_grid(rows, height=height, legend=(classes, palette))


def read_truth(
    folder: str | Path, image_path: str, size: tuple[int, int]
) -> np.ndarray:
    """Read the full mask of an image, which may lie in the same subfolders.

    Args:
        folder: The folder of masks. That of ``.../a/b.jpg`` is ``a/b.png`` there, or
            ``b.png``.
        image_path: The image.
        size: (H, W) of the image.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file is no index map (see :func:`read_index_map`), or has
            another size than the image, as if it were another one's.
    """
    path = named_like(image_path, folder)
    if path is None:
        expected = Path(folder, f'{Path(image_path).stem}.png')
        raise FileNotFoundError(f'there is no mask {expected}: check the truth folder')
    mask = read_index_map(path, 'mask')
    if mask.shape != tuple(size):
        raise ValueError(
            f'the mask {path} has {mask.shape[1]} x {mask.shape[0]} pixels, the image '
            f'{image_path} has {size[1]} x {size[0]}: is it the mask of another image?'
        )
    return mask


def to_rgb(inputs: Tensor, blue_first: bool = True) -> np.ndarray:
    """Show a packed image of any bands and depth as (H, W, 3) uint8 RGB.

    Args:
        inputs: (bands, H, W).
        blue_first: Whether the first three bands are blue, green and red.
    """
    levels = inputs.permute(1, 2, 0).float().cpu().numpy()
    low, high = levels.min(initial=0), levels.max(initial=0)
    if levels.shape[2] == 3 and low > -1 and 1 < high < 256:
        shown = levels.round().clip(0, 255).astype(np.uint8)
    else:
        shown = three_bands(levels)
    return np.ascontiguousarray(shown[..., ::-1] if blue_first else shown)


def _enlarge(segments: Tensor, padded: tuple, size: tuple) -> np.ndarray:
    """Resize (h, w) segments to the padded image and cut its padding off: (H, W)."""
    return resize_labels(segments[None], padded)[0, : size[0], : size[1]].cpu().numpy()


def _without_padding(embedding: Tensor, padded: tuple, size: tuple) -> np.ndarray:
    """Cut off the part of a (D, h, w) embedding that belongs to the padding."""
    rows, columns = (
        max(1, round(side * image / whole))
        for side, image, whole in zip(embedding.shape[1:], size, padded)
    )
    return embedding[:, :rows, :columns].float().cpu().numpy()


def _resize(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    size = (like.shape[1], like.shape[0])
    return cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
