"""The training segments that are nearest to one of a given image, as a page.

Letters: H, W image size, B segments of the training images, D embedding, K neighbours.
"""

import html
from pathlib import Path
from string import Template
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmseg_spml.functional.retrieval import nearest_segments
from mmseg_spml.functional.segments import VOID, Segments, resize_labels
from mmseg_spml.models.data_preprocessor import normalise, padded_for_test
from mmseg_spml.progress import watched

from .panels import Colour, data_url, draw_segment_outlines
from .samples import segment_map, to_rgb

_TEMPLATE = Path(__file__).with_name('neighbours_page.html')
# Brightness of what is not in the segment.
_DIMMED = 0.35


class SegmentIndex(NamedTuple):
    """Labelled segments of a data set, and where they are.

    ``prototypes`` (B, D) unit vectors; ``labels`` (B,) class ids; ``images`` (B,)
    numbers in the data set; ``segments`` (B,) numbers in their image.
    """

    prototypes: Tensor
    labels: Tensor
    images: Tensor
    segments: Tensor


class Neighbour(NamedTuple):
    """A segment: its image, mask, class, and cosine similarity to the query.

    ``image`` (H, W, 3) uint8 RGB; ``mask`` (H, W) bool; ``label`` -1 if unknown.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    label: int
    similarity: float


@torch.no_grad()
def index_segments(model: nn.Module, dataset: Dataset) -> SegmentIndex:
    """Labelled segments of all images, pooled as for a bank; shows its progress.

    Args:
        model: Segmentor with SPML, in evaluation mode.
        dataset: Of packed samples with weak labels, not augmented.

    Raises:
        ValueError: If no pixel is labelled.
    """
    parts: List[Tuple[Tensor, ...]] = []
    for number in watched(range(len(dataset)), 'training images'):
        _, pooled = _pooled(model, *_image_and_labels(dataset[number]))
        kept = (pooled.label < model.num_classes).nonzero()[:, 0]
        images = torch.full_like(kept, number)
        parts.append((pooled.prototypes[kept], pooled.label[kept], images, kept))
    if not sum(len(part[0]) for part in parts):
        raise ValueError('no training image has a labelled pixel: nothing to compare')
    return SegmentIndex(*(torch.cat(tensors).cpu() for tensors in zip(*parts)))


@torch.no_grad()
def segment_at(
    model: nn.Module, image: Tensor, x: int, y: int, name: str
) -> Tuple[Neighbour, Tensor]:
    """The segment of a pixel, and its prototype (D,).

    Args:
        model: Segmentor with SPML, in evaluation mode.
        image: (3, H, W) BGR, in 0 to 255.
        x: Column, from 0.
        y: Row, from 0.
        name: Of the image.

    Raises:
        ValueError: If the pixel is outside of the image.
    """
    height, width = image.shape[1:]
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f'({x}, {y}) is outside of {name}, which is {width} pixels wide and '
            f'{height} high'
        )
    segments, pooled = _pooled(model, image, torch.zeros(height, width).long())
    # a coarse cell at the border may be that of the padding
    inside = (segments >= 0).nonzero()
    near = (inside - torch.tensor([y, x])).square().sum(1).argmin()
    chosen = int(segments[tuple(inside[near])])
    mask = (segments == chosen).numpy()
    return Neighbour(name, to_rgb(image), mask, -1, 1.0), pooled.prototypes[
        chosen
    ].cpu()


def nearest(
    model: nn.Module,
    dataset: Dataset,
    index: SegmentIndex,
    prototype: Tensor,
    k: int = 20,
) -> List[Neighbour]:
    """The ``k`` most similar segments (all, if there are fewer), most similar first.

    Args:
        model: The model of the index.
        dataset: The data set of the index.
        index: Of :func:`index_segments`.
        prototype: (D,) unit vector.
        k: How many.
    """
    k = min(k, len(index.labels))
    found = nearest_segments(prototype[None], index.prototypes, k)[0]
    similarity = index.prototypes[found] @ prototype
    return [
        _neighbour(model, dataset, index, int(place), float(value))
        for place, value in zip(found, similarity)
    ]


@torch.no_grad()
def _neighbour(
    model: nn.Module,
    dataset: Dataset,
    index: SegmentIndex,
    place: int,
    similarity: float,
) -> Neighbour:
    item = dataset[int(index.images[place])]
    image, labels = _image_and_labels(item)
    segments, _ = _pooled(model, image, labels)
    return Neighbour(
        name=Path(item['data_samples'].img_path).name,
        image=to_rgb(image),
        mask=(segments == index.segments[place]).numpy(),
        label=int(index.labels[place]),
        similarity=similarity,
    )


def neighbours_page(
    query: Neighbour,
    neighbours: Sequence[Neighbour],
    classes: Sequence[str],
    palette: Sequence[Colour],
) -> str:
    """A self-contained HTML page: the query, how its neighbours vote, all of them.

    Args:
        query: The segment of the pixel that was asked for.
        neighbours: Most similar first.
        classes: C names.
        palette: C RGB colours.
    """
    votes = np.bincount([one.label for one in neighbours], minlength=len(classes))
    order = [c for c in np.argsort(-votes, kind='stable') if votes[c]]
    chips = [
        _chip(classes[c], palette[c], f'{votes[c]} of {len(neighbours)}') for c in order
    ]
    cards = [
        _card(one, _chip(classes[one.label], palette[one.label]), one.similarity)
        for one in neighbours
    ]
    return Template(_TEMPLATE.read_text(encoding='utf-8')).substitute(
        title=html.escape(f'Neighbours of a segment of {query.name}'),
        query=_picture(query),
        votes='\n'.join(chips),
        cards='\n'.join(cards),
    )


def _card(one: Neighbour, chip: str, similarity: float) -> str:
    caption = f'{chip} {similarity:.3f}<br><small>{html.escape(one.name)}</small>'
    return f'<figure>{_picture(one)}<figcaption>{caption}</figcaption></figure>'


def _picture(one: Neighbour) -> str:
    """The image, dimmed outside of the segment, whose outline is drawn."""
    share = np.where(one.mask, 1.0, _DIMMED)[..., None]
    image = (one.image * share).round().astype(np.uint8)
    image = draw_segment_outlines(image, one.mask.astype(np.int64))
    alt = html.escape(one.name)
    return f'<img src="{data_url(image, ".jpg")}" alt="{alt}">'


def _chip(name: str, colour: Colour, count: str = '') -> str:
    shown = '#{:02x}{:02x}{:02x}'.format(*map(int, colour))
    text = f'{html.escape(name)} {count}'.strip()
    return f'<span class="chip" style="--colour: {shown}">{text}</span>'


def _image_and_labels(item: dict) -> Tuple[Tensor, Tensor]:
    return item['inputs'], item['data_samples'].gt_sem_seg.data[0].long()


def _pooled(model: nn.Module, image: Tensor, labels: Tensor) -> Tuple[Tensor, Segments]:
    """Segments of an image as retrieval knows them: map (H, W), -1 void; prototypes."""
    size = tuple(labels.shape)
    image = normalise(image.to(model.data_preprocessor.device), model.data_preprocessor)
    padded = padded_for_test(image, model.data_preprocessor)
    canvas = labels.new_full((1, *padded.shape[2:]), VOID)
    canvas[0, : size[0], : size[1]] = labels
    embedding = model.embed(padded)
    small = resize_labels(canvas.to(embedding.device), tuple(embedding.shape[2:]))
    pooled = model.spml_head.pool_by_label(embedding, small)
    segments = segment_map(small, pooled.pixel_segment)
    segments = resize_labels(segments, tuple(canvas.shape[1:]))[0]
    return segments[: size[0], : size[1]].cpu(), pooled
