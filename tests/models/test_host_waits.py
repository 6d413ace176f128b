"""What makes a step wait on a GPU.

One wait is not seen here: ``tolist``, which reads the range of labels and regions.
"""

import os

# Read when a kernel is defined.
os.environ['TRITON_INTERPRET'] = '1'

import pytest
import torch
from models.small_segmentor import C, pooled, weak_maps
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmseg_spml.functional.losses import contrastive
from mmseg_spml.functional.segments import kmeans
from mmseg_spml.models.losses.relations import (
    ImageSimilarityLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)

_WAITING = ('nonzero', 'unique', '_local_scalar_dense', 'bincount', 'masked_select',
            'repeat_interleave', 'equal')  # fmt: skip


class Waits(TorchDispatchMode):
    """Records the operations whose result's size or value a host needs."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__.lstrip('_')
        waiting = any(name.startswith(w.lstrip('_')) for w in _WAITING)
        if name in ('index', 'index_put', 'index_put_'):
            # a mask must be counted; only a scalar can be filled in without
            waiting = any(
                leaf.dtype == torch.bool
                for leaf in tree_leaves(args[1])
                if torch.is_tensor(leaf)
            )
        if waiting:
            self.names.append(name)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    pytest.importorskip('triton', minversion='3.1', reason='needs Triton from 3.1 on')
    monkeypatch.setattr(contrastive, '_kernels_run_on', lambda device: True)
    monkeypatch.setattr(kmeans, '_cluster_each', kmeans._cluster_together)


def test_a_step_waits_for_the_void_mask_and_the_segments(as_on_a_gpu, monkeypatch):
    # Indices are checked by the device: the checks of the host would wait.
    monkeypatch.setattr(contrastive, '_check_indices', lambda *_: None)
    relations = [
        SemanticAnnotationLoss(6, backend='triton'),
        SemanticCooccurrenceLoss(8, ignore_tags=(0,), backend='triton'),
        ImageSimilarityLoss(16, backend='triton'),
    ]
    options = dict(
        maps=weak_maps(3, (6, 7)), dtype=torch.float32, affinity_threshold=None
    )
    pooled(**options)  # the grid's cells are counted once, and kept
    with Waits() as waits:
        embedding, segments = pooled(**options)
        loss = sum(relation(segments) for relation in relations)
        (gradient,) = torch.autograd.grad(loss, embedding)
    assert gradient.any()
    assert waits.names == ['nonzero', 'unique2']


def test_the_recorder_sees_waits():
    with Waits() as waits:
        values = torch.arange(C)
        values[values > 1]
        int(values.sum())
        torch.bincount(values)
        values.unique()
        values[values > 1] = 0
    assert len(waits.names) >= 4
