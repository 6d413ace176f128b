"""Benchmark of a large photograph: tests and banks in tiles, and whole."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from benchmarks.agreement import check_difference
from benchmarks.measurement import Comparison
from benchmarks.network import build_network

_TILE = 1024


def photograph(path: Path, device: torch.device, small: bool) -> list[Comparison]:
    """Compare tests and banks of one large image in tiles and whole.

    Args:
        path: The config of an SPML model.
        device: The device to compute on.
        small: Whether the image is small.
    """
    size = (300, 400) if small else (4000, 6000)
    model = Config.fromfile(path).model
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)
    labels = torch.full(size, model.decode_head.num_classes, dtype=torch.uint8)
    labels[:: size[0] // 10, : size[1] // 2] = 1  # strokes across one half
    whole = build_network(model, device).eval()
    tiled = build_network(
        model, device, test_cfg=dict(model.test_cfg, tile=128 if small else _TILE)
    ).eval()
    # No image is too large for one of them, and each is for the other.
    whole.largest_whole, tiled.largest_whole = 2**62, size[0] * size[1] - 1
    variants = {'in tiles': tiled, 'whole': whole}
    shown = f'{size[0]} x {size[1]}'

    def compared(
        what: str,
        run: Callable[[BaseModel], Tensor],
        agreement: Callable[[Tensor, Tensor], str],
    ) -> Comparison:
        return Comparison(
            f'{what} of an image of {shown}',
            {name: partial(run, built) for name, built in variants.items()},
            'whole',
            agreement,
            once=frozenset({'whole'}),
        )

    return [
        compared('test', partial(_test, image), _same_classes),
        compared('bank', partial(_bank, image, labels), _numbers),
    ]


def _sample(image: Tensor) -> SegDataSample:
    size = tuple(image.shape[1:])
    return SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))


def _test(image: Tensor, model: BaseModel) -> Tensor:
    with torch.no_grad():
        data = dict(inputs=[image.float()], data_samples=[_sample(image)])
        (found,) = model.test_step(data)
    return found.pred_sem_seg.data


def _bank(image: Tensor, labels: Tensor, model: BaseModel) -> Tensor:
    sample = _sample(image)
    sample.gt_sem_seg = PixelData(data=labels[None].long())
    data = dict(inputs=[image.float()], data_samples=[sample])
    return model.labeled_segments(**model.data_preprocessor(data, False))[0]


def _same_classes(found: Tensor, expected: Tensor) -> str:
    same = float((found == expected).float().mean())
    check_difference(1 - same, 0.2)
    return f'{same:.1%} of the pixels have the same class'


def _numbers(found: Tensor, expected: Tensor) -> str:
    check_difference(float(np.isclose(len(found), 0)), 0)
    return f'{len(found)} segments, whole {len(expected)}'
