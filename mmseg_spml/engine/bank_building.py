"""Builds the bank of labelled segments that retrieval looks up."""

import copy
from pathlib import Path
from typing import List, Sequence, Tuple, Union

import torch
from mmengine.config import Config
from mmengine.dist import (
    all_gather_object,
    barrier,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.utils import ProgressBar
from torch import Tensor, nn

from mmseg_spml.models.segment_bank import SegmentBank

Parts = List[Tuple[Tensor, Tensor]]


def training_step(dataset: dict, name: str) -> dict:
    """The transform of a training pipeline that has this name, or a plain one.

    Args:
        dataset: Config with a ``pipeline``.
        name: Type of the transform.
    """
    for step in dataset.get('pipeline', ()):
        if step['type'] == name:
            return copy.deepcopy(dict(step))
    return dict(type=name)


def training_images(cfg: Config, original_size: bool = False) -> dict:
    """Dataloader config: training images, pipeline and batches of validation.

    Of the tests only without validation, since theirs may be one of test-time
    augmentation.

    Args:
        cfg: Of a run.
        original_size: Leave out the steps of validation that resize.

    Raises:
        ValueError: the config has neither, or tests with augmentation alone.
    """
    dataloader = cfg.get('val_dataloader') or cfg.get('test_dataloader')
    augmented = dataloader is not None and any(
        step['type'] == 'TestTimeAug' for step in dataloader.dataset.pipeline
    )
    if dataloader is None or augmented:
        raise ValueError(
            'a bank is built of training images as val_dataloader loads images, but '
            'the config has none: give it one, or SegmentBankHook a `dataloader`'
        )
    dataloader = copy.deepcopy(dataloader)
    weak = training_step(cfg.train_dataloader.dataset, 'LoadWeakAnnotations')
    pipeline = [
        dict(weak, after_resize=True) if step['type'] == 'LoadAnnotations' else step
        for step in dataloader.dataset.pipeline
        if not (original_size and step['type'] == 'Resize')
    ]
    # round_up would put an image in twice where the ranks have unequal shares.
    dataloader.sampler = dict(type='DefaultSampler', shuffle=False, round_up=False)
    dataloader.dataset = copy.deepcopy(cfg.train_dataloader.dataset)
    dataloader.dataset.update(pipeline=pipeline, test_mode=True)
    return dataloader


@torch.no_grad()
def build_bank(
    model: nn.Module,
    dataloader,
    *,
    scales: Sequence[float] = (1.0,),
    origin: str = 'weak labels',
    file: Union[str, Path, None] = None,
    append: bool = False,
) -> SegmentBank:
    """Bank of the labelled segments of a data set, the same on all ranks.

    Args:
        model: An ``SPMLSegmentor``.
        dataloader: Batches of images with weak labels, sharded over the ranks.
        scales: Factors of the images' sides; a bank holds the segments of all.
        origin: Where the labels come from.
        file: Write the bank to this ``.safetensors`` file. Ranks then leave their
            shares beside it for the first one to join, and map the whole; without a
            file they exchange copies.
        append: Whether to keep what is in the file.

    Raises:
        ValueError: To ``append``, and the file is no bank or does not fit.
    """
    if append:
        SegmentBank.load(file).check_fit(origin, model.spml_head.in_channels)
    model.eval()
    parts: Parts = []
    bar = ProgressBar(len(dataloader)) if is_main_process() else None
    for data in dataloader:
        data = model.data_preprocessor(data, False)
        for scale in scales:
            prototypes, labels = model.labelled_segments(**data, scale=scale)
            parts.append((prototypes.cpu(), labels.cpu()))
        if bar:
            bar.update()
    if file is None:
        gathered = [part for rank in all_gather_object(parts) for part in rank]
        bank = SegmentBank.from_parts(gathered, origin)
    else:
        _write(parts, Path(file), origin, append)
        bank = SegmentBank.load(file)
    return bank.to(next(model.parameters()).device)


def _write(parts: Parts, file: Path, origin: str, append: bool) -> None:
    """Empty ``parts`` into the file; several ranks by a share of each."""
    if get_world_size() == 1:
        bank = SegmentBank.from_parts(parts, origin)
        parts.clear()
        bank.save(file, append)
        return
    shares = [file.with_name(f'{file.name}.{n}') for n in range(get_world_size())]
    own = shares[get_rank()]
    filled = sum(len(labels) for _, labels in parts) > 0
    if filled:
        SegmentBank.from_parts(parts, origin).save(own)
        parts.clear()
    # Asked, not looked for: files of other machines may be late to appear.
    present = [s for s, there in zip(shares, all_gather_object(filled)) if there]
    try:
        if is_main_process():
            banks = [SegmentBank.load(share) for share in present]
            whole = SegmentBank.join(banks) if banks else SegmentBank.from_parts([])
            whole.save(file, append)
    finally:
        # the others must not wait for ever should this rank fail
        barrier()
        own.unlink(missing_ok=True)
