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


def training_images(cfg: Config) -> dict:
    """Dataloader config: training images, pipeline and batches of validation.

    Not of the tests, whose pipeline may be one of test-time augmentation.
    """
    dataloader = copy.deepcopy(cfg.val_dataloader)
    pipeline = [
        # Weak labels: their unlabelled value is the data set's to say.
        dict(type='LoadWeakAnnotations', after_resize=True)
        if step['type'] == 'LoadAnnotations'
        else step
        for step in dataloader.dataset.pipeline
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
    """
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
        _write_shares(parts, Path(file), origin, append)
        bank = SegmentBank.load(file)
    return bank.to(next(model.parameters()).device)


def _write_shares(parts: Parts, file: Path, origin: str, append: bool) -> None:
    shares = [file.with_name(f'{file.name}.{n}') for n in range(get_world_size())]
    own = shares[get_rank()]
    own.unlink(missing_ok=True)  # of a run that was stopped
    if sum(len(labels) for _, labels in parts):
        SegmentBank.from_parts(parts, origin).save(own)
    barrier()
    try:
        if is_main_process():
            banks = [SegmentBank.load(share) for share in shares if share.is_file()]
            whole = SegmentBank.join(banks) if banks else SegmentBank.from_parts([])
            whole.save(file, append)
    finally:
        # the others must not wait for ever should this rank fail
        barrier()
        own.unlink(missing_ok=True)
