"""A training step survives images that have nothing to teach."""

import pytest
import torch
from integration import tiny
from integration.ranks import sample
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_spml.engine import launch
from mmseg_spml.functional.labels.values import VOID

SIZE = (32, 40)


def ordinary(size, generator):
    labels = torch.randint(0, tiny.CLASSES, size, generator=generator)
    labels[torch.rand(size, generator=generator) < 0.5] = tiny.CLASSES
    regions = torch.arange(size[0])[:, None] // 8 * 10 + torch.arange(size[1]) // 8
    tags = torch.zeros(tiny.CLASSES, dtype=torch.bool)
    tags[labels[labels < tiny.CLASSES].unique()] = True
    return labels, regions, tags


def unlabeled(labels, regions, tags):
    labels = torch.where(labels == VOID, VOID, tiny.CLASSES)
    return labels, regions, torch.zeros_like(tags)


def one_region(labels, regions, tags):
    return labels, torch.zeros_like(regions), tags


def all_void(labels, regions, tags):
    return torch.full_like(labels, VOID), regions, torch.zeros_like(tags)


def void_with_tags(labels, regions, tags):
    return torch.full_like(labels, VOID), regions, torch.ones_like(tags)


def background_only(labels, regions, tags):
    labels = torch.where(labels < tiny.CLASSES, 0, labels)
    return labels, regions, torch.arange(len(tags)) == 0


def one_valid_pixel(labels, regions, tags):
    labels = torch.full_like(labels, VOID)
    labels[0, 0] = 1
    return labels, regions, torch.arange(len(tags)) == 1


def nothing_at_all(labels, regions, tags):
    """Neither label nor region nor tag."""
    return unlabeled(labels, torch.zeros_like(regions), tags)


def every_pixel_a_region(labels, regions, tags):
    return labels, torch.arange(labels.numel()).view_as(labels), tags


CASES = {
    case.__name__: case
    for case in (
        unlabeled,
        one_region,
        all_void,
        void_with_tags,
        background_only,
        one_valid_pixel,
        nothing_at_all,
        every_pixel_a_region,
    )
}


@pytest.fixture
def config(tmp_path):
    tiny.registered()
    cfg = Config.fromfile(tiny.write_config(tmp_path))
    launch._replace_sync_norms(cfg.model)
    return cfg


def train(cfg, batches, size=SIZE, constant=False):
    """Optimizer steps on batches of cases; the losses of the last."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    for cases in batches:
        samples = []
        for case in cases:
            samples.append(sample(*case(*ordinary(size, generator))))
        shape = len(cases), 3, *size
        images = torch.randn(shape, generator=generator)
        if constant:
            images = torch.zeros(shape)
        losses = model.loss(images, samples)
        total = sum(tiny.named_losses(losses))
        assert torch.isfinite(total), losses
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        assert tiny.finite_parameters(model)
        assert len(losses) >= 5
    return losses


def plain(*maps):
    return maps


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_whole_batch(config, case):
    """Three steps of nothing else, so that the memory holds nothing else either."""
    train(config, [[case] * 2] * 3)


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_beside_an_ordinary_image(config, case):
    train(config, [[case, plain], [plain, case]])


def test_all_at_once(config):
    train(config, [[*CASES.values(), plain]] * 2)


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_after_ordinary_batches(config, case):
    """The memory is full and the batch is not."""
    train(config, [[plain] * 2] * 2 + [[case] * 2])


@pytest.mark.parametrize('size', [(8, 8), (5, 12), (12, 5)])
def test_map_smaller_than_the_start_grid(config, size):
    """The embedding has fewer pixels than the grid has cells."""
    config.model.neck.grid = (6, 6)
    train(config, [[plain] * 2, [*CASES.values()]], size)


def test_constant_image(config):
    """All embeddings of an image are (nearly) equal."""
    train(config, [[plain] * 2, [*CASES.values()]], constant=True)


@pytest.mark.parametrize('color', ['distance', 'gaussian', 'none'])
def test_color_features_of_a_constant_image(config, color):
    config.model.neck.color_features = color
    train(config, [[plain] * 2, [*CASES.values()]], constant=True)


def test_global_mean(config):
    config.model.decode_head.reduction = 'global_mean'
    train(config, [[*CASES.values()], [all_void] * 2, [unlabeled] * 2])


@pytest.mark.parametrize('case', [all_void, nothing_at_all], ids=lambda c: c.__name__)
def test_nothing_to_learn_is_zero_loss(config, case):
    """No label: the losses that need labels are exactly zero."""
    losses = train(config, [[case] * 2])
    assert float(losses['decode.loss_ce']) == 0
    assert float(losses['decode.loss_annotation']) == 0


def test_tagless_as_released(config):
    config.model.decode_head.relations[1].tagless = 'exact'
    train(config, [[nothing_at_all] * 2, [*CASES.values()]])


@pytest.mark.parametrize('predictor', ['softmax', 'retrieval'])
@pytest.mark.parametrize('size', [(5, 7), (32, 40)])
def test_prediction_of_a_constant_image(config, predictor, size):
    from mmseg_spml.models import SegmentBank

    config.model.decode_head.predictor = predictor
    model = MODELS.build(config.model).eval()
    model.decode_head.bank = SegmentBank(torch.eye(16)[:2], torch.tensor([1, 2]))
    metas = [dict(img_shape=size, ori_shape=size, pad_shape=size)]
    with torch.no_grad():
        scores = model.inference(torch.zeros(1, 3, *size), metas)
    assert scores.shape == (1, tiny.CLASSES, *size)
    assert torch.isfinite(scores).all()
