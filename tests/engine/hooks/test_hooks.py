import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.models import SegTTAModel
from models.small_segmentor import C, batch, build, pooled, sample, weak_maps
from torch import nn

from mmseg_spml.engine import (
    ExactResumeHook,
    SegmentBankHook,
    SegmentMemoryHook,
    unwrapping,
)
from mmseg_spml.engine.bank_building import training_images
from mmseg_spml.models import SegmentBank

CPU = torch.device('cpu')


# ------------------------------------------------------------- ExactResumeHook


def draws(seed=1, rank=0, iteration=0):
    runner = SimpleNamespace(seed=seed, rank=rank, iter=iteration)
    ExactResumeHook().before_train_iter(runner, 0)
    return (
        torch.rand(3).tolist(),
        np.random.rand(3).tolist(),
        [random.random() for _ in range(3)],
    )


def test_draws_depend_on_seed_rank_and_iteration_alone():
    first = draws()
    torch.rand(7), np.random.rand(5), random.random()
    assert draws() == first


@pytest.mark.parametrize(
    'change', [dict(seed=2), dict(rank=1), dict(iteration=1), dict(seed=None)]
)
@pytest.mark.parametrize('generator', range(3), ids=['torch', 'numpy', 'random'])
def test_each_generator_follows_each_number(change, generator):
    assert draws(**change)[generator] != draws()[generator]


def test_numbers_are_not_mixed_up():
    """Seed + rank + iteration would give these the same draws."""
    assert len({str(draws(*n)) for n in ((1, 0, 0), (0, 1, 0), (0, 0, 1))}) == 3


@pytest.mark.parametrize('interval, said', [(6, False), (5, True), (-1, False)])
def test_checkpoints_within_an_optimizer_step(monkeypatch, interval, said):
    lines = []
    module = 'mmseg_spml.engine.hooks.exact_resume.print_log'
    monkeypatch.setattr(module, lambda text, **_: lines.append(text))
    sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    runner = SimpleNamespace(
        optim_wrapper=OptimWrapper(sgd, accumulative_counts=3),
        hooks=[CheckpointHook(interval=interval, by_epoch=False)],
    )
    ExactResumeHook().before_train(runner)
    assert bool(lines) == said
    assert not said or 'every 5 iterations come within the 3 passes' in lines[0]


def test_large_numbers():
    assert draws(2**31 - 1, 63, 10**6) != draws(2**31 - 1, 63, 10**6 + 1)


def test_seeding_comes_before_other_hooks():
    assert ExactResumeHook().priority == 'VERY_HIGH'
    assert Hook.priority == 'NORMAL'


# ----------------------------------------------------------- SegmentMemoryHook


def training(iteration, accumulative_counts=1):
    model = build()
    memory = model.decode_head.memory
    memory.append(pooled(2, dtype=torch.float32)[1])
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OptimWrapper(sgd, accumulative_counts=accumulative_counts)
    SegmentMemoryHook().before_train(
        SimpleNamespace(model=model, iter=iteration, optim_wrapper=wrapper)
    )
    return memory


def test_a_new_training_forgets():
    assert training(iteration=0).segments(CPU) is None


def test_a_resumed_training_remembers():
    assert len(training(iteration=7).segments(CPU)) > 0


@pytest.mark.parametrize('counts', [1, 4])
def test_forwards_per_step(counts):
    assert training(0, counts).forwards_per_step == counts


def test_a_model_without_a_memory():
    runner = SimpleNamespace(model=nn.Linear(1, 1), iter=0, optim_wrapper=None)
    SegmentMemoryHook().before_train(runner)
    checkpoint = {}
    SegmentMemoryHook().before_save_checkpoint(runner, checkpoint)
    SegmentMemoryHook().after_load_checkpoint(runner, checkpoint)
    assert not checkpoint


@pytest.mark.parametrize('resumes', [True, False])
def test_a_checkpoint_without_the_memory(monkeypatch, resumes):
    said = []
    module = 'mmseg_spml.engine.hooks.segment_memory.print_log'
    monkeypatch.setattr(module, lambda message, **_: said.append(message))
    runner = SimpleNamespace(model=build(), _resume=resumes)
    SegmentMemoryHook().after_load_checkpoint(runner, dict(state_dict={}))
    assert len(said) == resumes
    assert not said or 'has no segment memory decode_head.memory' in said[0]


# ------------------------------------------------------------- SegmentBankHook


def test_the_bank_is_built_of_averaged_weights():
    runner = SimpleNamespace(_hooks=[], logger=None)
    for hook in (SegmentBankHook(), EMAHook()):
        Runner.register_hook(runner, hook)
    assert [type(hook) for hook in runner._hooks] == [EMAHook, SegmentBankHook]


class Weak(torch.utils.data.Dataset):
    """Two images with weak labels."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        inputs, _ = batch(2, (32, 40))
        labels, _, _ = weak_maps(2, (32, 40))
        return dict(inputs=inputs[index], data_samples=sample(labels[index]))


def retrieving(**retrieval):
    options = dict(grid=(2, 2), iterations=3, neighbors=3)
    return build(
        head__predictor='retrieval',
        head__retrieval={**options, **retrieval},
        data_preprocessor=dict(type='SPMLDataPreProcessor'),
    )


def runner_of(model, cfg=None):
    logger = SimpleNamespace(info=lambda *_: None)
    return SimpleNamespace(model=model, cfg=cfg, seed=3, logger=logger)


@pytest.fixture
def loader(monkeypatch):
    """Stands in for the dataloader; notes the configs that it is built from."""
    configs = []

    def build_dataloader(config, seed=None, diff_rank_seed=False):
        configs.append((config, seed))
        collate = lambda items: {k: [i[k] for i in items] for k in items[0]}  # noqa: E731
        return torch.utils.data.DataLoader(Weak(), batch_size=1, collate_fn=collate)

    monkeypatch.setattr(Runner, 'build_dataloader', staticmethod(build_dataloader))
    return configs


@pytest.mark.parametrize('event', ['before_val_epoch', 'before_test_epoch'])
def test_bank_of_the_labeled_segments(event, loader):
    model = retrieving().train()
    hook = SegmentBankHook(dataloader=dict(batch_size=1))
    getattr(hook, event)(runner_of(model))
    bank = model.decode_head.bank
    expected = []
    model.eval()
    for index in range(2):
        item = Weak()[index]
        expected.append(
            model.labeled_segments(item['inputs'][None], [item['data_samples']])
        )
    prototypes, labels = (torch.cat(part) for part in zip(*expected))
    assert torch.allclose(bank.prototypes, prototypes, atol=1e-6)
    assert torch.equal(bank.labels, labels)
    assert set(labels.tolist()) == set(range(C))
    assert loader == [(dict(batch_size=1), 3)]


def test_bank_follows_the_weights(loader):
    """Each evaluation builds its own."""
    model = retrieving()
    hook = SegmentBankHook(dataloader=dict(batch_size=1))
    hook.before_val_epoch(runner_of(model))
    first = model.decode_head.bank.prototypes
    nn.init.normal_(model.neck.projection.project.weight)
    hook.before_val_epoch(runner_of(model))
    assert len(loader) == 2
    second = model.decode_head.bank.prototypes
    assert first.shape != second.shape or (first - second).abs().max() > 0.1


def test_statistics_do_not_move_while_a_bank_is_built(loader):
    model = retrieving().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    SegmentBankHook(dataloader=dict(batch_size=1)).before_val_epoch(runner_of(model))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_bank_is_written(loader, tmp_path):
    model = retrieving()
    path = tmp_path / 'new' / 'bank.safetensors'
    hook = SegmentBankHook(dataloader=dict(batch_size=1), file=str(path))
    hook.before_test_epoch(runner_of(model))
    written = SegmentBank.load(path)
    assert torch.equal(written.prototypes, model.decode_head.bank.prototypes)
    assert torch.equal(written.labels, model.decode_head.bank.labels)


def test_other_predictors_need_no_bank(loader):
    SegmentBankHook().before_val_epoch(runner_of(build()))
    assert not loader


def test_a_named_bank_is_used_as_it_is(loader, tmp_path):
    path = tmp_path / 'bank.safetensors'
    vectors = F.normalize(torch.randn(4, 6), dim=1)
    SegmentBank(vectors, torch.arange(4)).save(path)
    model = retrieving(bank=str(path))
    SegmentBankHook().before_test_epoch(runner_of(model))
    assert not loader
    assert torch.equal(model.decode_head.bank.prototypes, vectors)


def test_a_wrapped_model(loader, monkeypatch):
    class Wrapper(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.module = inner

    monkeypatch.setattr(
        unwrapping, 'is_model_wrapper', lambda model: isinstance(model, Wrapper)
    )
    model = retrieving()
    SegmentBankHook(dataloader=dict(batch_size=1)).before_val_epoch(
        runner_of(Wrapper(model))
    )
    assert len(model.decode_head.bank) > 2


def config():
    return Config(
        dict(
            train_dataloader=dict(
                batch_size=4,
                num_workers=2,
                sampler=dict(type='DrawSampler'),
                dataset=dict(
                    type='WeakSegDataset',
                    ann_file='train.txt',
                    pipeline=[dict(type='WeakRandomFlip')],
                ),
            ),
            val_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='WeakSegDataset',
                    ann_file='val.txt',
                    pipeline=[dict(type='LoadAnnotations')],
                ),
            ),
            test_dataloader=dict(
                batch_size=1,
                dataset=dict(ann_file='test.txt', pipeline=[dict(type='TestTimeAug')]),
            ),
        )
    )


@pytest.mark.parametrize('event', ['before_val_epoch', 'before_test_epoch'])
def test_default_images_are_the_training_set_as_validation_reads_it(event, loader):
    cfg = config()
    getattr(SegmentBankHook(), event)(runner_of(retrieving(), cfg))
    ((found, seed),) = loader
    assert seed == 3
    assert found == dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
        dataset=dict(
            type='WeakSegDataset',
            ann_file='train.txt',
            pipeline=[
                dict(
                    type='LoadWeakAnnotations', after_resize=False, accepted_weight=1.0
                )
            ],
            test_mode=True,
        ),
    )
    # the config of the run is left alone
    assert cfg.to_dict() == config().to_dict()


def test_labels_of_the_bank_are_drawn_at_the_working_size():
    cfg = config()
    cfg.val_dataloader.dataset.pipeline = [
        dict(type='LimitSize', max_side=9),
        dict(type='LoadWeakAnnotations', after_resize=True, accepted_weight=0.0),
        dict(type='UnlabeledToVoid'),
    ]
    limit, found = training_images(cfg)['dataset']['pipeline']
    assert limit['type'] == 'LimitSize'
    assert not found['after_resize'] and found['accepted_weight'] == 1


def test_loading_is_that_of_the_training():
    cfg = config()
    cfg.val_dataloader.dataset.pipeline.insert(0, dict(type='Resize', scale=(9, 9)))
    load = dict(type='LoadWeakAnnotations', unlabeled_value=255)
    cfg.train_dataloader.dataset.pipeline = [load, dict(type='WeakRandomFlip')]
    resize, found = training_images(cfg)['dataset']['pipeline']
    assert found == dict(load, after_resize=True, accepted_weight=1.0)
    assert resize['type'] == 'Resize'
    assert training_images(cfg, original_size=True)['dataset']['pipeline'] == [
        dict(found, after_resize=False)
    ]
    cfg.test_dataloader, cfg.val_dataloader = cfg.val_dataloader, None
    resize, found = training_images(cfg)['dataset']['pipeline']
    assert (resize['type'], found['type']) == ('Resize', 'LoadWeakAnnotations')
    cfg.test_dataloader.dataset.pipeline[0] = dict(type='TestTimeAug')
    for dataloader in (cfg.test_dataloader, None):
        cfg.test_dataloader = dataloader
        with pytest.raises(ValueError, match='val_dataloader'):
            training_images(cfg)


def test_under_test_time_augmentation(loader):
    model = retrieving()
    wrapped = SegTTAModel(module=model)
    SegmentBankHook(dataloader=dict(batch_size=1)).before_test_epoch(runner_of(wrapped))
    assert len(model.decode_head.bank) > 2
