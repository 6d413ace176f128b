"""Benchmarks of networks: the cost of SPML in a training iteration and a prediction."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.structures import LabelData, PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import Tensor

from benchmarks.measurement import Comparison
from benchmarks.scene import Scene, generate_scene
from mmseg_spml.engine.launch import without_cuda
from mmseg_spml.models import SegmentBank

_PROPAGATION = Path(__file__).parents[1] / 'configs/_base_/models/propagation.py'
_COOCCURRENCE = dict(
    type='SemanticCooccurrenceLoss', concentration=8, loss_weight=0.3, ignore_tags=(0,)
)


def iteration(path: Path, device: torch.device, small: bool) -> list[Comparison]:
    """Compare a training iteration of a network with SPML and with cross-entropy alone.

    Args:
        path: The config of an SPML model.
        device: The device to compute on.
        small: Whether the batch has two images of half the side.
    """
    config = Config.fromfile(path)
    without_cuda(config)
    height, width = config.crop_size
    if small:
        height, width = height // 2, width // 2
    images = 2 if small else config.train_dataloader.batch_size
    scene = generate_scene(device, images, max(height, width), memory=0)
    inputs = torch.randn(
        images, 3, height, width, generator=torch.Generator().manual_seed(0)
    ).to(device)
    model = config.model
    classes = model.decode_head.num_classes
    samples = [_sample(scene, n, (height, width), classes) for n in range(images)]

    def network(**head: Any) -> Callable[[], Tensor]:
        built = build_network(
            model, device, decode_head={**model.decode_head, **head}
        ).train()
        return partial(_gradient, built, inputs, samples)

    variants = {'SPML': network()}
    relations = list(model.decode_head.relations)
    if not any(relation.type == _COOCCURRENCE['type'] for relation in relations):
        more = [*relations, _COOCCURRENCE]
        variants['SPML with co-occurrence'] = network(relations=more)
    propagation = Config.fromfile(_PROPAGATION)
    variants['SPML with propagation'] = network(**propagation.propagation_head)
    variants['cross-entropy'] = network(relations=[], memory=None, detach=False)
    return [
        Comparison(
            f'an iteration of {path.stem}, {images} images of {height} x {width}',
            variants,
            'cross-entropy',
            lambda found, expected: '',
        )
    ]


def inference(path: Path, device: torch.device, small: bool) -> list[Comparison]:
    """Compare prediction by the classifier and by retrieval from 100,000 segments.

    Args:
        path: The config of an SPML model.
        device: The device to compute on.
        small: Whether the image and the bank are small.
    """
    height, width = (96, 128) if small else (384, 512)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1, 3, height, width, generator=generator).to(device)
    model = Config.fromfile(path).model
    head = model.decode_head
    number = 1_000 if small else 100_000
    vectors = torch.randn(number, head.embedding_dim, generator=generator)
    labels = torch.randint(0, head.num_classes, (number,), generator=generator)
    bank = SegmentBank(F.normalize(vectors, dim=1), labels)
    meta = [dict(img_shape=(height, width), ori_shape=(height, width))]

    def predict(**options: Any) -> Callable[[], Tensor]:
        built = build_network(model, device, decode_head={**head, **options}).eval()
        built.decode_head.bank = bank

        @torch.no_grad()
        def run() -> Tensor:
            return built.inference(inputs, meta)

        return run

    retrieval = dict(grid=(12, 12), neighbors=20)
    return [
        Comparison(
            f'prediction of one image of {height} x {width}, {number:,} segments',
            {
                'classifier': predict(predictor='softmax'),
                'retrieval at the embedding': predict(
                    predictor='retrieval',
                    retrieval=dict(retrieval, resolution='embedding'),
                ),
                'retrieval at the input': predict(
                    predictor='retrieval', retrieval=dict(retrieval, resolution='input')
                ),
            },
            'classifier',
            lambda found, expected: '',
        )
    ]


def build_network(model: ConfigDict, device: torch.device, **parts: Any) -> BaseModel:
    """Build a model of a config with seeded weights, some of its parts replaced."""
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    return MODELS.build(ConfigDict({**model, **parts})).to(device)


def _sample(
    scene: Scene, place: int, size: tuple[int, int], classes: int
) -> SegDataSample:
    """Make the sample of one image, with its classes folded into those of a model."""
    rows, columns = slice(size[0]), slice(size[1])
    labels = scene.labels[place, rows, columns]
    known = labels < scene.tags.shape[1]
    void_or_none = torch.where(labels == 255, labels, classes)
    labels = torch.where(known, labels % classes, void_or_none)
    tags = labels.new_zeros(classes, dtype=torch.bool)
    tags[scene.tags[place].nonzero().squeeze(1) % classes] = True
    sample = SegDataSample(
        gt_sem_seg=PixelData(data=labels[None]),
        region_map=PixelData(data=scene.regions[place, rows, columns][None]),
    )
    sample.gt_tags = LabelData(label=tags)
    sample.set_metainfo(dict(img_shape=size, ori_shape=size))
    return sample


def _gradient(model: BaseModel, inputs: Tensor, samples: list) -> Tensor:
    model.zero_grad()
    losses = model.loss(inputs, samples)
    total = sum(value for name, value in losses.items() if 'loss' in name)
    total.backward()
    return total.detach()
