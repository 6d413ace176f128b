import itertools
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    InfiniteSampler,
    RepeatDataset,
    pseudo_collate,
)
from mmengine.registry import DATA_SAMPLERS, DefaultScope
from mmengine.runner.loops import _InfiniteDataloaderIterator
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Subset

from mmseg_spml.datasets import Draw, DrawSampler, WeakSegDataset
from mmseg_spml.datasets.sampler import randomness_of


def take(sampler, count):
    return list(itertools.islice(sampler, count))


def pairs(draws):
    return [(int(draw), draw.draw, draw.seed) for draw in draws]


def of_rank(monkeypatch, rank, world_size, size=5, seed=3):
    monkeypatch.setattr(
        'mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size)
    )
    return DrawSampler(range(size), seed=seed)


def test_indices_are_those_of_mmengine():
    ours = take(DrawSampler(range(7), seed=5), 20)
    assert ours == take(InfiniteSampler(range(7), seed=5), 20)
    assert [draw.draw for draw in ours] == list(range(20))
    assert {draw.seed for draw in ours} == {5}


def test_every_pass_holds_every_sample_in_a_new_order():
    draws = take(DrawSampler(range(6), seed=0), 12)
    assert sorted(draws[:6]) == sorted(draws[6:]) == list(range(6))
    assert draws[:6] != draws[6:]


def test_ranks_interleave_to_the_single_process_stream(monkeypatch):
    single = pairs(take(of_rank(monkeypatch, 0, 1), 12))
    first = pairs(take(of_rank(monkeypatch, 0, 2), 6))
    second = pairs(take(of_rank(monkeypatch, 1, 2), 6))
    assert [pair for both in zip(first, second) for pair in both] == single


@pytest.mark.parametrize('rank, world_size', [(0, 1), (0, 3), (2, 3)])
@pytest.mark.parametrize('skipped', [0, 1, 7])
def test_skip_equals_iterating(monkeypatch, rank, world_size, skipped):
    whole = pairs(take(of_rank(monkeypatch, rank, world_size), 15))
    sampler = of_rank(monkeypatch, rank, world_size)
    sampler.skip(skipped)
    assert pairs(take(sampler, 15 - skipped)) == whole[skipped:]


def test_skip_is_absolute():
    sampler = DrawSampler(range(5), seed=3)
    whole = pairs(take(DrawSampler(range(5), seed=3), 9))
    take(sampler, 4)
    sampler.skip(2)
    assert pairs(take(sampler, 7)) == whole[2:]
    with pytest.raises(ValueError, match='-1'):
        sampler.skip(-1)


@pytest.mark.parametrize('wrap', ['ClassBalancedDataset', 'Subset', 'MixUp'])
def test_wrappers_that_lose_the_draw_are_refused(wrap):
    class MixUp:
        def __init__(self, dataset):
            self.dataset = dataset

        def __len__(self):
            return len(self.dataset)

        def __getitem__(self, index):
            return self.dataset[index], self.dataset[int(index) + 1]

    class Images(BaseDataset):
        def load_data_list(self):
            return [dict(number=number) for number in range(6)]

        def get_cat_ids(self, index):
            return [index % 2]

    images = Images()
    wrapped = {
        'ClassBalancedDataset': lambda: ClassBalancedDataset(images, 0.9),
        'Subset': lambda: Subset(images, [4, 2]),
        'MixUp': lambda: MixUp(images),
    }[wrap]()
    with pytest.raises(ValueError, match=f'{wrap} hands on indices without their draw'):
        DrawSampler(ConcatDataset([images, wrapped]), seed=0)


def test_draw_survives_pickling_and_wrappers():
    draw = Draw(9, draw=40, seed=2, attempt=1)
    copy = pickle.loads(pickle.dumps(draw))
    for other in (copy, draw % 5, draw - 4):
        assert (other.draw, other.seed, other.attempt) == (40, 2, 1)
    assert (copy, draw % 5, draw - 4) == (9, 4, 5)


def test_randomness_comes_from_the_draw_and_is_put_back():
    def numbers():
        return random.random(), np.random.uniform(), float(torch.rand(1))

    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    outside = numbers()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    with randomness_of(Draw(0, draw=1, seed=2)):
        inside = numbers()
    assert numbers() == outside
    with randomness_of(Draw(5, draw=1, seed=2)):
        assert numbers() == inside
    for other in (Draw(0, 2, 2), Draw(0, 1, 3), Draw(0, 1, 2, attempt=1)):
        with randomness_of(other):
            assert not set(numbers()) & set(inside)


def test_states_come_back_after_an_error():
    np.random.seed(0)
    expected = np.random.uniform()
    np.random.seed(0)
    with pytest.raises(KeyError), randomness_of(Draw(0, 1, 2)):
        raise KeyError
    assert np.random.uniform() == expected


def test_found_in_the_scope_mmseg():
    before = DefaultScope.get_current_instance()
    name = before.scope_name if before else None
    with DefaultScope.overwrite_default_scope('mmseg'):
        sampler = DATA_SAMPLERS.build(
            dict(type='DrawSampler', shuffle=True),
            default_args=dict(dataset=range(4), seed=1),
        )
    assert isinstance(sampler, DrawSampler)
    after = DefaultScope.get_current_instance()
    assert (after.scope_name if after else None) == name


@pytest.fixture
def dataset(tmp_path):
    for name in range(5):
        values = np.random.default_rng(name).integers(0, 256, (24, 30, 3))
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / f'{name}.png')
    return WeakSegDataset(
        data_prefix=dict(img_path=str(tmp_path)),
        img_suffix='.png',
        metainfo=dict(classes=('a', 'b')),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomResizeOfImage'),
            dict(type='PadToCropSize', size=16),
            dict(type='RandomCrop', crop_size=(16, 16)),
            dict(type='WeakRandomFlip'),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackWeakSegInputs'),
        ],
    )


def batches(dataset, workers, count, skipped=0):
    torch.manual_seed(workers)  # must not matter
    loader = DataLoader(
        dataset,
        batch_size=2,
        sampler=DrawSampler(dataset, seed=11),
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    iterator = _InfiniteDataloaderIterator(loader)
    if skipped:
        iterator.skip_iter(skipped)
    inputs = [torch.stack(next(iterator)['inputs']) for _ in range(count)]
    return torch.stack(inputs)


def test_draws_are_identical_for_0_and_2_workers(dataset):
    expected = batches(dataset, 0, 6)
    assert torch.equal(batches(dataset, 2, 6), expected)
    assert len(torch.unique(expected.flatten(0, 1), dim=0)) == 12


def test_resumed_draws_continue_the_run(dataset):
    whole = batches(dataset, 0, 6)
    if not hasattr(InfiniteSampler, 'skip'):
        pytest.skip('this MMEngine skips by loading')
    assert torch.equal(batches(dataset, 2, 3, skipped=3), whole[3:])


@pytest.mark.parametrize(
    'wrap',
    [lambda data: RepeatDataset(data, 3), lambda data: ConcatDataset([data] * 2)],
)
def test_wrapped_data_sets_keep_the_draw(dataset, wrap):
    wrapped = wrap(dataset)
    np.random.seed(0)
    first = wrapped[Draw(8, draw=3, seed=1)]['inputs']
    assert torch.equal(wrapped[Draw(8, draw=3, seed=1)]['inputs'], first)
    assert torch.equal(dataset[Draw(3, draw=3, seed=1)]['inputs'], first)


def test_another_sample_in_its_place_depends_on_the_draw(dataset):
    class Refuse:
        refused = ()

        def __call__(self, results):
            return None if results['sample_idx'] in self.refused else results

    refuse = Refuse()
    dataset.pipeline.transforms.insert(0, refuse)
    refuse.refused = (1, 2)
    outcomes = []
    for seed in (0, 1):
        np.random.seed(seed)
        outcomes.append([dataset[Draw(1, n, 7)]['inputs'] for n in range(6)])
    for one, other in zip(*outcomes):
        assert torch.equal(one, other)


class Mixed:
    """Ten images, the first three with shapes."""

    def __len__(self):
        return 10

    def labeled(self):
        return np.arange(10) < 3


@pytest.mark.parametrize('share', [0.5, 0.25, 0.9])
def test_share_of_marked_images(share):
    sampler = DrawSampler(Mixed(), seed=3, labeled_share=share)
    drawn = [int(index) for index in itertools.islice(sampler, 240)]
    assert sum(index < 3 for index in drawn) == 240 * share
    # each kind has whole passes of its own
    marked = [index for index in drawn if index < 3]
    others = [index for index in drawn if index >= 3]
    for stream, size in ((marked, 3), (others, 7)):
        for start in range(0, len(stream) - size, size):
            assert len(set(stream[start : start + size])) == size
    assert marked[:3] != marked[3:6] or marked[:3] != marked[6:9]


def test_share_and_skip():
    whole = DrawSampler(Mixed(), seed=3, labeled_share=0.5)
    drawn = [(int(index), index.draw) for index in itertools.islice(whole, 40)]
    late = DrawSampler(Mixed(), seed=3, labeled_share=0.5)
    late.skip(17)
    assert [(int(i), i.draw) for i in itertools.islice(late, 23)] == drawn[17:]


@pytest.mark.parametrize('share', [0, 1, -1])
def test_refused_shares(share):
    with pytest.raises(ValueError, match='labeled_share'):
        DrawSampler(Mixed(), seed=3, labeled_share=share)


def test_a_share_needs_both_kinds():
    class Tagged(Mixed):
        def labeled(self):
            return np.zeros(10, bool)

    with pytest.raises(ValueError, match='0 and 10 images'):
        DrawSampler(Tagged(), seed=3, labeled_share=0.5)


@pytest.mark.parametrize('ranks', [2, 4])
def test_each_rank_has_its_share(ranks, monkeypatch):
    drawn = []
    for rank in range(ranks):
        sampler = DrawSampler(Mixed(), seed=3, labeled_share=0.5)
        monkeypatch.setattr(sampler, 'rank', rank)
        monkeypatch.setattr(sampler, 'world_size', ranks)
        sampler.skip(0)
        taken = [(int(i), i.draw) for i in itertools.islice(sampler, 40)]
        assert sum(index < 3 for index, _ in taken) == 20
        drawn += taken
    # together: each marked image as often as any other
    counts = np.bincount([index for index, _ in drawn], minlength=10)[:3]
    assert np.ptp(counts) <= 1
    assert sorted(draw for _, draw in drawn) == list(range(40 * ranks))


def test_a_wrapped_data_set_has_no_shares():
    with pytest.raises(ValueError, match='labeled_share.*range'):
        DrawSampler(range(4), seed=3, labeled_share=0.5)
