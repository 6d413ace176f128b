"""Page of the training segments that are nearest to a segment of a given image.

Letters: H, W image size, B segments of the training images, D embedding, K neighbors.
"""

import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from mmseg.registry import TRANSFORMS
from torch import Tensor

from mmseg_spml.functional.labels.values import VOID
from mmseg_spml.functional.segments.pooling import resize_labels
from mmseg_spml.functional.segments.retrieval import nearest_segments
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.io.limits import check_image
from mmseg_spml.models.data_preprocessor import (
    normalize,
    padded_for_test,
    swaps_channels,
)
from mmseg_spml.visualization.image_grid import data_url
from mmseg_spml.visualization.label_maps import Color, draw_segment_outlines
from mmseg_spml.visualization.samples import segment_map, to_rgb

_TEMPLATE = Path(__file__).with_name('neighbors_page.html')
# Brightness of the pixels outside of the segment.
_DIMMED = 0.75


class SegmentIndex(NamedTuple):
    """Labeled segments of a data set, and the images that they belong to.

    Attributes:
        prototypes: (B, D) unit vectors.
        labels: (B,) class ids.
        images: (B,) numbers of the images in the data set.
        segments: (B,) numbers of the segments in their image.
    """

    prototypes: Tensor
    labels: Tensor
    images: Tensor
    segments: Tensor


class Query(NamedTuple):
    """A pixel of an image.

    Attributes:
        name: File name of the image.
        image: (bands, H, W), as models take it.
        x: The column of the pixel, from 0.
        y: The row of the pixel, from 0.
    """

    name: str
    image: Tensor
    x: int
    y: int


class Neighbor(NamedTuple):
    """A segment with its image and its similarity to the query.

    Attributes:
        name: File name of the image.
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, true within the segment.
        label: Class id; -1 if the class is unknown.
        similarity: Cosine similarity to the query.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    label: int
    similarity: float


@torch.no_grad()
def index_segments(
    model: BaseModel,
    dataset: Sequence[dict],
    track: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> SegmentIndex:
    """Index the labeled segments of all images, pooled as for a segment bank.

    Args:
        model: A segmentor with SPML, in evaluation mode.
        dataset: Packed samples with weak labels, without augmentation.
        track: A function that passes the numbers of the images on and may show the
            progress meanwhile.

    Raises:
        ValueError: No pixel is labeled.
    """
    parts: list[tuple[Tensor, ...]] = []
    for number in track(range(len(dataset))):
        _, pooled = _pooled(model, *_image_and_labels(dataset[number]))
        kept = (pooled.label < model.num_classes).nonzero()[:, 0]
        images = torch.full_like(kept, number)
        parts.append((pooled.prototypes[kept], pooled.label[kept], images, kept))
    if not sum(len(part[0]) for part in parts):
        raise ValueError('no training image has a labeled pixel: nothing to compare')
    return SegmentIndex(*(torch.cat(tensors).cpu() for tensors in zip(*parts)))


def load_query(pipeline: Sequence[dict], path: Path, x: int, y: int) -> Query:
    """Load an image, and find a pixel of its file in the image that the model sees.

    Args:
        pipeline: The steps that load an image at its working size.
        path: The file of the image.
        x: The column of the pixel in the file, from 0.
        y: The row of the pixel in the file, from 0.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no image, or the pixel is outside of it.
    """
    if not path.is_file():
        raise FileNotFoundError(f'there is no image {path}')
    check_image(path)
    try:
        loaded = Compose([TRANSFORMS.build(step) for step in pipeline])(
            dict(img_path=str(path))
        )
    except (AssertionError, cv2.error) as error:  # those of MMCV's loader
        raise ValueError(f'{path}: no image that OpenCV can decode') from error
    height, width = loaded['ori_shape']
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f'({x}, {y}) is outside of {path.name}, which is {width} pixels wide and '
            f'{height} high'
        )
    image = torch.from_numpy(loaded['img']).permute(2, 0, 1).contiguous()
    rows, columns = image.shape[1:]
    return Query(path.name, image, x * columns // width, y * rows // height)


@torch.no_grad()
def segment_at(model: BaseModel, query: Query) -> tuple[Neighbor, Tensor]:
    """Return the segment of a pixel and its prototype (D,).

    Args:
        model: A segmentor with SPML, in evaluation mode.
        query: The image and the pixel.
    """
    name, image, x, y = query
    height, width = image.shape[1:]
    segments, pooled = _pooled(model, image, torch.zeros(height, width).long())
    # A pixel at the border may fall into a cell of the embedding that is padding.
    inside = (segments >= 0).nonzero()
    near = (inside - torch.tensor([y, x])).square().sum(1).argmin()
    chosen = int(segments[tuple(inside[near])])
    mask = (segments == chosen).numpy()
    shown = to_rgb(image, swaps_channels(model.data_preprocessor))
    return Neighbor(name, shown, mask, -1, 1.0), pooled.prototypes[chosen].cpu()


def nearest(
    model: BaseModel,
    dataset: Sequence[dict],
    index: SegmentIndex,
    prototype: Tensor,
    k: int = 20,
) -> list[Neighbor]:
    """Find the ``k`` most similar segments (all, if there are fewer), best first.

    Args:
        model: The model that the index was made with.
        dataset: The data set that the index was made from.
        index: The result of :func:`index_segments`.
        prototype: (D,) unit vector of the query.
        k: The number of segments.
    """
    k = min(k, len(index.labels))
    found = nearest_segments(prototype[None], index.prototypes, k)[0]
    similarity = index.prototypes[found] @ prototype
    return [
        _neighbor(model, dataset, index, int(place), float(value))
        for place, value in zip(found, similarity)
    ]


@torch.no_grad()
def _neighbor(
    model: BaseModel,
    dataset: Sequence[dict],
    index: SegmentIndex,
    place: int,
    similarity: float,
) -> Neighbor:
    item = dataset[int(index.images[place])]
    image, labels = _image_and_labels(item)
    segments, _ = _pooled(model, image, labels)
    return Neighbor(
        name=Path(item['data_samples'].img_path).name,
        image=to_rgb(image, swaps_channels(model.data_preprocessor)),
        mask=(segments == index.segments[place]).numpy(),
        label=int(index.labels[place]),
        similarity=similarity,
    )


def neighbors_page(
    query: Neighbor,
    neighbors: Sequence[Neighbor],
    classes: Sequence[str],
    palette: Sequence[Color],
) -> str:
    """Make a self-contained HTML page of a query, the votes, and its neighbors.

    Args:
        query: The segment of the pixel that was asked for.
        neighbors: The nearest segments, most similar first.
        classes: The class names.
        palette: The RGB colors of the classes.
    """
    votes = np.bincount([one.label for one in neighbors], minlength=len(classes))
    order = [c for c in np.argsort(-votes, kind='stable') if votes[c]]
    chips = [
        _chip(classes[c], palette[c], f'{votes[c]} of {len(neighbors)}') for c in order
    ]
    cards = [
        _card(one, _chip(classes[one.label], palette[one.label]), one.similarity)
        for one in neighbors
    ]
    return Template(_TEMPLATE.read_text(encoding='utf-8')).substitute(
        title=html.escape(f'Neighbors of a segment of {query.name}'),
        query=_picture(query),
        votes='\n'.join(chips),
        cards='\n'.join(cards),
    )


def _card(one: Neighbor, chip: str, similarity: float) -> str:
    caption = f'{chip} {similarity:.3f}<br><small>{html.escape(one.name)}</small>'
    return f'<figure>{_picture(one)}<figcaption>{caption}</figcaption></figure>'


def _picture(one: Neighbor) -> str:
    """Draw the outline of a segment on its image, which is dimmed elsewhere."""
    share = np.where(one.mask, 1.0, _DIMMED)[..., None]
    image = (one.image * share).round().astype(np.uint8)
    # A dark line beside the light one, so that the outline is seen on any image.
    inner = cv2.erode(one.mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    image = draw_segment_outlines(image, inner.astype(np.int64), (0, 0, 0))
    image = draw_segment_outlines(image, one.mask.astype(np.int64))
    alt = html.escape(one.name)
    return f'<img src="{data_url(image, ".jpg")}" alt="{alt}">'


def _chip(name: str, color: Color, count: str = '') -> str:
    shown = '#{:02x}{:02x}{:02x}'.format(*map(int, color))
    text = f'{html.escape(name)} {count}'.strip()
    return f'<span class="chip" style="--color: {shown}">{text}</span>'


def _image_and_labels(item: dict) -> tuple[Tensor, Tensor]:
    return item['inputs'], item['data_samples'].gt_sem_seg.data[0].long()


def _pooled(model: BaseModel, image: Tensor, labels: Tensor) -> tuple[Tensor, Segments]:
    """Pool an image as for retrieval: (H, W) segment map, -1 if void, and segments."""
    size = tuple(labels.shape)
    image = normalize(image.to(model.data_preprocessor.device), model.data_preprocessor)
    padded = padded_for_test(image, model.data_preprocessor)
    canvas = labels.new_full((1, *padded.shape[2:]), VOID)
    canvas[0, : size[0], : size[1]] = labels
    embedding = model.embed(padded)
    height, width = embedding.shape[2:]
    small = resize_labels(canvas.to(embedding.device), (height, width))
    pooled = model.spml_head.pooler(embedding, small)
    segments = segment_map(small, pooled.pixel_segment)
    height, width = canvas.shape[1:]
    segments = resize_labels(segments, (height, width))[0]
    return segments[: size[0], : size[1]].cpu(), pooled
