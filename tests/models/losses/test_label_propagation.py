"""The registered loss: its targets, its weights over the training, its gradient."""

from dataclasses import replace

import pytest
import torch
from flood_fill import unmarked_by_flooding
from mmengine.logging import MessageHub
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from models.small_segmentor import C, D, batch, build, pooled, sample, weak_maps

from mmseg_spml.functional import propagate_to_targets
from mmseg_spml.models.image_batch import ImageBatch
from mmseg_spml.models.weak_labels import allowed_classes

VOID = 255
RELATIONS = [
    dict(type='SemanticAnnotationLoss', concentration=6),
    dict(type='ImageSimilarityLoss', concentration=16, loss_weight=0.5),
]
PROPAGATION = dict(type='LabelPropagationLoss')


def loss_of(**options):
    return MODELS.build({**PROPAGATION, **options})


@pytest.fixture(autouse=True)
def at(monkeypatch):
    """Set the iteration that the runner is at; there is no runner before."""
    hub = MessageHub('propagation')
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)

    def set_iteration(iteration, max_iters=60):
        hub.update_info('iter', iteration)
        hub.update_info('max_iters', max_iters)

    return set_iteration


def problem(size=(6, 7), seed=0):
    maps = weak_maps(3, size, seed)
    _, segments = pooled(3, size, seed, maps=maps, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    images = 255 * torch.rand(3, 3, 2 * size[0], 2 * size[1], generator=generator)
    labels = maps[0].repeat_interleave(2, 1).repeat_interleave(2, 2)
    logits, teacher = torch.randn(2, 3, C, *size, generator=generator)
    return logits, teacher, segments, ImageBatch(images, labels, maps[2])


def expected_targets(teacher, segments, images, allowed, **options):
    """Colors of cells and their positions in the image, pixel by pixel."""
    count, _, height, width = teacher.shape
    rows = []
    labels = images.labels[:, ::2, ::2]
    for n in range(count):
        for y in range(height):
            for x in range(width):
                if labels[n, y, x] == VOID:
                    continue
                cell = images.images[n, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                color = cell.mean(dim=(1, 2))
                rows.append((color, (2 * y, 2 * x), teacher[n, :, y, x].softmax(dim=0)))
    colors, positions, probabilities = zip(*rows)
    return propagate_to_targets(
        segments,
        torch.stack(colors),
        torch.tensor(positions),
        torch.stack(probabilities),
        allowed,
        **options,
    )


@pytest.mark.parametrize('tag_mask', [True, False])
def test_targets_by_hand(tag_mask):
    _, teacher, segments, images = problem()
    options = dict(rounds=2, sigma_rgb=40.0)
    allowed = images.allowed if tag_mask else torch.ones_like(images.allowed)
    assert not images.allowed.all()
    expected = expected_targets(teacher, segments, images, allowed, **options)
    found = loss_of(tag_mask=tag_mask, **options).targets(teacher, segments, images)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('box_mask', [True, False])
def test_targets_stay_inside_of_boxes(box_mask):
    _, teacher, segments, images = problem()
    generator = torch.Generator().manual_seed(3)
    cells = torch.rand(3, C, 6, 7, generator=generator) < 0.6
    extents = cells.repeat_interleave(2, 2).repeat_interleave(2, 3)
    boxed = replace(images, extents=extents)
    valid = images.labels[:, ::2, ::2] != VOID
    extents = cells.permute(0, 2, 3, 1)[valid] if box_mask else None
    expected = expected_targets(
        teacher, segments, images, images.allowed, extents=extents
    )
    found = loss_of(box_mask=box_mask).targets(teacher, segments, boxed)
    assert torch.allclose(found, expected, atol=1e-5)


def test_extents_of_boxes_reach_the_loss():
    labels, _, tags = weak_maps(2, (8, 8), 0)
    samples = [sample(own, tags=shown) for own, shown in zip(labels, tags)]
    model, inputs = build(), torch.zeros(2, 3, 8, 8)
    assert ImageBatch.of(model, inputs, samples).extents is None
    assert ImageBatch.of(model, inputs, samples).tight_boxes is None
    boxes = torch.rand(C, 8, 8) < 0.5
    samples[1].box_extents = PixelData(data=boxes)
    samples[1].tight_boxes = PixelData(data=~boxes)
    images = ImageBatch.of(model, inputs, samples)
    assert images.extents[0].all() and torch.equal(images.extents[1], boxes)
    assert not images.tight_boxes[0].any()
    assert torch.equal(images.tight_boxes[1], ~boxes)


def without_unmarked(targets, images):
    """Set the targets of components without a label of their class to zero."""
    valid = images.labels[:, ::2, ::2] != VOID
    classes = torch.full(valid.shape, VOID)
    classes[valid] = targets.argmax(dim=1)
    dropped = unmarked_by_flooding(classes.tolist(), images.labels.tolist(), C)
    return targets.masked_fill(torch.tensor(dropped)[valid][:, None], 0)


def test_components_without_a_mark_are_dropped():
    _, teacher, segments, images = problem()
    everything = loss_of().targets(teacher, segments, images)
    found = loss_of(drop_unmarked=True).targets(teacher, segments, images)
    assert torch.equal(found, without_unmarked(everything, images))
    assert 0 < (found.sum(dim=1) == 0).sum() < len(found)


@pytest.mark.parametrize('drop', [True, False])
def test_value_and_gradient(drop):
    logits, teacher, segments, images = problem()
    logits.requires_grad_()
    teacher.requires_grad_()
    one = loss_of(loss_weight=0.7, drop_unmarked=drop)
    value = one(logits, teacher, segments, images)
    targets = expected_targets(teacher.detach(), segments, images, images.allowed)
    if drop:
        targets = without_unmarked(targets, images)
    rows = logits.detach().permute(0, 2, 3, 1)[images.labels[:, ::2, ::2] != VOID]
    by_hand = -(targets * rows.log_softmax(dim=1)).sum(dim=1).mean()
    assert value.item() == pytest.approx(0.7 * by_hand.item(), rel=1e-5)
    value.backward()
    gradient = targets.sum(dim=1, keepdim=True) * rows.softmax(dim=1) - targets
    gradient = 0.7 * gradient / len(rows)
    found = logits.grad.permute(0, 2, 3, 1)[images.labels[:, ::2, ::2] != VOID]
    assert torch.allclose(found, gradient, atol=1e-6)
    assert teacher.grad is None


@pytest.mark.parametrize(
    'iteration, share', [(0, 0), (10, 0), (15, 0.5), (20, 1), (59, 1)]
)
def test_weights_over_the_training(at, iteration, share):
    at(iteration)
    one = loss_of(begin=1 / 6, ramp=1 / 6, final_label_weight=0.2)
    assert one.share == pytest.approx(share)
    assert one.label_weight == pytest.approx(1 - 0.8 * share)
    logits, teacher, segments, images = problem()
    full = loss_of(begin=0.0, ramp=0.0)(logits, teacher, segments, images)
    value = one(logits.requires_grad_(), teacher, segments, images)
    assert value.item() == pytest.approx(share * full.item(), rel=1e-5)
    value.backward()
    assert bool(logits.grad.any()) == bool(share)


def test_without_weight_the_labels_keep_theirs():
    assert loss_of(begin=0.0, ramp=0.0, loss_weight=0.0).label_weight == 1


def test_a_step_instead_of_a_ramp(at):
    one = loss_of(begin=0.5, ramp=0)
    for iteration, share in ((0, 0), (29, 0), (30, 1)):
        at(iteration)
        assert one.share == share


@pytest.mark.parametrize(
    'relation, options',
    [(dict(RELATIONS[0], loss_name='loss_teacher'), {}),
     (dict(RELATIONS[0], loss_name='loss_x'), dict(loss_name='loss_x'))],
)  # fmt: skip
def test_names_of_losses_must_differ(relation, options):
    with pytest.raises(ValueError, match='loss_name of its own'):
        build(relations=[relation], head__propagation=dict(PROPAGATION, **options))


def test_full_weight_from_the_start(at):
    at(0)
    assert loss_of(begin=0, ramp=0).share == 1


def test_without_a_runner_the_weight_is_full():
    assert loss_of().share == 1


def test_all_void_is_an_attached_zero():
    logits, teacher, _, images = problem()
    images.labels.fill_(VOID)
    labels = torch.full((3, 6, 7), VOID)
    maps = (labels, labels * 0, images.allowed)
    _, segments = pooled(3, (6, 7), maps=maps, dtype=torch.float32)
    value = loss_of()(logits.requires_grad_(), teacher, segments, images)
    assert value.item() == 0
    value.backward()
    assert not logits.grad.any()


def test_a_class_is_allowed_unless_tags_rule_it_out():
    labels = torch.tensor([[C, 2, VOID]])
    tags = torch.tensor([0, -1, 0, 0])
    assert allowed_classes(sample(labels), C).all()
    found = allowed_classes(sample(labels, labels * 0, tags), C)
    assert found.tolist() == [False, True, True, False]
    ignored = sample(labels, labels * 0, tags)
    ignored.gt_tags.ignored = torch.tensor([True, False, False, False])
    assert allowed_classes(ignored, C).tolist() == [True, True, True, False]
    assert ignored.gt_tags.label.tolist() == tags.tolist()


def with_propagation(**options):
    changes = dict(head__detach=False, head__propagation=dict(PROPAGATION, **options))
    return build(relations=RELATIONS, **changes)


def test_teacher_learns_from_labels_alone_and_on_a_detached_embedding():
    model = with_propagation()
    losses = model.loss(*batch())
    loss = losses['decode.loss_teacher']
    loss.backward(retain_graph=True)
    assert all(p.grad.any() for p in model.decode_head.teacher.parameters())
    assert all(p.grad is None for p in model.backbone.parameters())
    model.zero_grad()
    losses['decode.loss_propagation'].backward()
    assert all(p.grad is None for p in model.decode_head.teacher.parameters())
    assert all(p.grad.any() for p in model.neck.parameters())


def test_labels_count_less_while_propagation_grows(at):
    model = with_propagation().eval()
    found = []
    for iteration in (0, 59):
        at(iteration)
        with torch.no_grad():
            found.append(model.loss(*batch()))
    first, last = found
    assert first['decode.loss_propagation'] == 0 < last['decode.loss_propagation']
    ratio = last['decode.loss_ce'] / first['decode.loss_ce']
    assert ratio.item() == pytest.approx(0.1, rel=1e-5)
    assert first['decode.loss_teacher'] == last['decode.loss_teacher']


def test_predictions_do_not_come_from_the_teacher():
    model = with_propagation().eval()
    inputs, samples = batch()
    with torch.no_grad():
        before = model(inputs, samples)
        torch.nn.init.ones_(model.decode_head.teacher[-1].weight)
        assert torch.equal(before, model(inputs, samples))


def test_training_fits_the_targets():
    """The unlabeled half of each image takes the class that has its color."""
    torch.manual_seed(0)
    inputs, _ = batch()
    inputs = 5 * inputs  # colors in 0 to 255, since the model does not normalize
    inputs[:, :, :, 20:] += 200
    samples = []
    for _ in inputs:
        labels = torch.full((32, 40), C)
        labels[4:8, 4:8], labels[4:8, 30:34] = 1, 2
        tags = torch.tensor([0, 1, 1, 0])
        samples.append(sample(labels, torch.zeros(32, 40).long(), tags))
    model = with_propagation()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(40):
        losses = model.loss(inputs, samples)
        total = sum(loss for name, loss in losses.items() if 'loss' in name)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    with torch.no_grad():
        found = model.eval()(inputs, samples).argmax(dim=1)
    # At a quarter of the size of the image.
    assert (found[:, :, :4] == 1).float().mean() > 0.9
    assert (found[:, :, 6:] == 2).float().mean() > 0.9


def test_as_a_branch():
    options = dict(
        type='WeakEncoderDecoder',
        spml=dict(
            neck=dict(
                type='SegmentPoolingNeck',
                projection=dict(type='ConvEmbedding', in_channels=16, embedding_dim=D),
                num_classes=C,
                grid=(2, 2),
            ),
            decode_head=dict(
                type='SPMLHead',
                embedding_dim=D,
                num_classes=C,
                detach=False,
                relations=RELATIONS,
                propagation=PROPAGATION,
            ),
        ),
        neck=None,
        decode_head=dict(
            type='FCNHead',
            in_channels=16,
            channels=8,
            num_classes=C,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    )
    losses = build(**options).loss(*batch())
    assert losses['spml.loss_propagation'] > 0
    assert losses['spml.loss_teacher'] > 0


def test_autocast_changes_little():
    logits, teacher, segments, images = problem()
    expected = loss_of()(logits, teacher, segments, images)
    with torch.autocast('cpu', torch.bfloat16):
        found = loss_of()(logits, teacher, segments, images)
        half = loss_of()(logits.bfloat16(), teacher.bfloat16(), segments, images)
    assert found == expected
    assert half.item() == pytest.approx(expected.item(), rel=0.02)


def test_needs_segments_and_images():
    head = with_propagation().decode_head
    x = torch.randn(2, D, 6, 7)
    samples = [sample(one) for one in weak_maps(2, (12, 14))[0]]
    head.relations = torch.nn.ModuleList()
    with pytest.raises(ValueError, match='needs the segments and the images'):
        head.loss([x], samples, None)


@pytest.mark.parametrize(
    'loss', ['DenseCRFLoss', 'GatedCRFLoss', 'TreeEnergyLoss'], ids=str
)
def test_masked_predictions_of_image_losses(loss):
    """With tag_mask, a class that an image cannot show counts for nothing."""
    options = dict(type=loss)
    if loss == 'TreeEnergyLoss':
        options['in_index'] = None
    images = torch.full((1, 3, 8, 8), 100.0)
    labels = torch.full((1, 8, 8), C)
    allowed = torch.tensor([[True, False, True, False]])
    logits = torch.randn(1, C, 8, 8, generator=torch.Generator().manual_seed(1))
    batch_of_images = ImageBatch(images, labels, allowed)
    masked = MODELS.build(dict(tag_mask=True, **options))
    two = MODELS.build(options)
    everything = ImageBatch(images, labels, torch.ones(1, 2).bool())
    found = masked(logits.requires_grad_(), batch_of_images)
    assert found.item() > 0
    assert found.item() == pytest.approx(two(logits[:, ::2], everything).item())
    found.backward()
    assert logits.grad[:, ::2].any() and not logits.grad[:, 1::2].any()


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(begin=-0.1), 'begin'),
        (dict(ramp=2), 'ramp'),
        (dict(final_label_weight=1.5), 'final_label_weight'),
        (dict(loss_weight=-1), 'loss_weight'),
        (dict(loss_name='propagation'), "start with 'loss_'"),
        (dict(begin=0.6, ramp=0.5), 'never reach'),
        (dict(begin=1.0, ramp=0.0), 'never reach'),
        (dict(damping=3), 'damping'),
        (dict(sharpness=0), 'sharpness'),
        (dict(reduction='mean'), 'reduction'),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        loss_of(**options)
