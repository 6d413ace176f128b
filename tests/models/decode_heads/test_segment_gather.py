"""Eight ranks, as threads, against one process that sees all of their images."""

from dataclasses import replace

import pytest
import torch
from models.ranks_in_threads import Ranks
from models.small_segmentor import pooled

from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.decode_heads.segment_gather import SegmentGather
from mmseg_spml.models.losses.relations import SemanticCooccurrenceLoss

RANKS = 8


@pytest.mark.parametrize('affinity_threshold', [None, 0.6])
def test_eight_ranks_are_one(affinity_threshold, monkeypatch):
    counts = [1 + rank % 3 for rank in range(RANKS)]
    parts = [
        pooled(count, seed=rank, affinity_threshold=affinity_threshold)
        for rank, count in enumerate(counts)
    ]
    loss = SemanticCooccurrenceLoss(8, ignore_tags=(0,), watch_steps=0)
    ranks = Ranks(RANKS, monkeypatch)

    def step(rank):
        joined = SegmentGather(parts[rank][1]).wait()
        assert joined.num_images == sum(counts)
        value = loss(joined)
        (gradient,) = torch.autograd.grad(value, parts[rank][0], retain_graph=True)
        return value, gradient / RANKS

    found = ranks.run(step)
    assert ranks.collectives == [3] * RANKS  # lengths, tables, gradients

    everything = Segments.concat([segments for _, segments in parts])
    place, values = 0, []
    for _, segments in parts:
        pixels = slice(place, place + len(segments.pixels))
        fields = ('pixels', 'pixels_loc', 'pixel_label', 'pixel_segment', 'pixel_image')
        kept = {name: getattr(everything, name)[pixels] for name in fields}
        values.append(loss(replace(everything, **kept)))
        place = pixels.stop
    wanted = torch.autograd.grad(sum(values) / RANKS, [part[0] for part in parts])
    for (value, gradient), expected, target in zip(found, values, wanted):
        assert torch.allclose(value, expected)
        assert torch.allclose(gradient, target, atol=1e-12)
        assert target.any()
