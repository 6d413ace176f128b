"""Each relation against the brute-force reference."""

import logging

import numpy as np
import pytest
import reference
import torch
from models.small_segmentor import C, pooled, weak_maps

from mmseg_spml.functional.losses import relations
from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models.losses import reduction, relations as relation_losses
from mmseg_spml.models.losses.relations import (
    FeatureAffinityLoss,
    ImageSimilarityLoss,
    SemanticAnnotationLoss,
    SemanticCooccurrenceLoss,
)

KINDS = {
    'annotation': SemanticAnnotationLoss,
    'cooccurrence': SemanticCooccurrenceLoss,
    'image_similarity': ImageSimilarityLoss,
    'affinity': FeatureAffinityLoss,
}


def quiet(kind, concentration=8.0, **options):
    """A relation loss by its short name; co-occurrence without its watch."""
    if kind == 'cooccurrence':
        options.setdefault('watch_steps', 0)
        options.setdefault('ignore_tags', (0,))
    return KINDS[kind](concentration, **options)


def expected(kind, segments, memory, concentration, ignore_tags=(0,), skip=True):
    """The relation's loss by plain loops, with weight 1."""
    if memory is not None and kind != 'image_similarity':
        seen = Segments.concat([segments, memory])
    else:
        seen = segments
    own = segments.pixel_segment
    label, image, region = (x.tolist() for x in (seen.label, seen.image, seen.region))
    tags = seen.tags.numpy()
    count = len(own)
    pixels, prototypes = segments.pixels, seen.prototypes
    anchors = range(count)
    if kind == 'annotation':
        pixel_label = segments.pixel_label.tolist()
        rule = reference.annotation_rule(pixel_label, label, C)
        anchors = [i for i in range(count) if pixel_label[i] < C]
    elif kind == 'cooccurrence':
        rule = reference.cooccurrence_rule(tags[own], tags, ignore_tags)
        kept = [c for c in range(C) if c not in ignore_tags]
        if skip:
            anchors = [i for i in range(count) if (tags[own[i]][kept] == 1).any()]
    elif kind == 'image_similarity':
        pixel_region = [region[s] for s in own]
        pixel_image = segments.pixel_image.tolist()
        rule = reference.similarity_rule(pixel_region, pixel_image, region, image)
        pixels, prototypes = segments.pixels_loc, seen.prototypes_loc
    else:
        sets = seen.label_sets.numpy()
        rule = reference.set_rule(sets[own], sets)
    same, different = reference.tables(count, len(seen), rule)
    anchors = list(anchors)
    values = reference.losses(
        pixels[anchors],
        prototypes,
        own[anchors].tolist(),
        same[anchors],
        different[anchors],
        concentration,
    )
    if kind == 'image_similarity':
        return reference.image_mean(values, segments.pixel_image.tolist())
    return values.mean()


def memory_of_two_steps():
    return Segments.concat([pooled(2, seed=seed)[1].to_memory() for seed in (7, 8)])


def with_memory_of_two_steps(segments):
    return Segments.concat([segments, memory_of_two_steps()])


@pytest.mark.parametrize('with_memory', [False, True])
@pytest.mark.parametrize('kind', KINDS)
def test_value_and_gradient(kind, with_memory):
    embedding, segments = pooled()
    loss = quiet(kind, loss_weight=0.3)
    memory, seen = None, segments
    if with_memory:
        memory = memory_of_two_steps()
        if loss.uses_other_images:
            seen = Segments.concat([segments, memory])
    target = expected(kind, segments, memory, 8.0)
    value = loss(seen)
    assert target > 0.01
    assert value.item() == pytest.approx(0.3 * target.item(), rel=1e-6)
    (grad,) = torch.autograd.grad(value, embedding, retain_graph=True)
    (wanted,) = torch.autograd.grad(0.3 * target, embedding)
    assert wanted.norm() > 1e-4
    assert ((grad - wanted).norm() / wanted.norm()).item() < 1e-6


@pytest.mark.parametrize('kind', ['annotation', 'cooccurrence', 'affinity'])
def test_memory_takes_part(kind):
    _, segments = pooled()
    loss = quiet(kind)
    alone, together = loss(segments), loss(with_memory_of_two_steps(segments))
    assert abs(alone - together) > 1e-3


@pytest.mark.parametrize('entries', [1, 700, 3000])
def test_image_similarity_of_many_regions(entries, monkeypatch):
    """Image by image or some at a time: the loss and its gradient are the same."""
    embedding, segments = pooled(count=4)
    whole = quiet('image_similarity')(segments)
    (wanted,) = torch.autograd.grad(whole, embedding, retain_graph=True)
    assert len(segments) ** 2 > 3000
    monkeypatch.setitem(relations._LARGEST_TABLE, 'cpu', entries)
    parts = quiet('image_similarity')(segments)
    (grad,) = torch.autograd.grad(parts, embedding)
    assert torch.allclose(parts, whole)
    assert torch.allclose(grad, wanted)


def test_image_similarity_in_any_order(monkeypatch):
    """Images that do not follow each other are still compared as they should."""
    _, segments = pooled(count=4)
    loss = quiet('image_similarity')
    wanted = loss(Segments.concat([segments, segments]))
    assert torch.allclose(wanted, loss(segments))
    turned = Segments.concat([segments, segments])
    turned.image = 7 - turned.image
    turned.pixel_image = 7 - turned.pixel_image
    assert not (turned.image.diff() >= 0).all()
    monkeypatch.setitem(relations._LARGEST_TABLE, 'cpu', 700)
    assert torch.allclose(loss(turned), wanted)


def test_image_similarity_without_local_features():
    _, segments = pooled()
    plain = quiet('image_similarity', features='plain')(segments)
    located = quiet('image_similarity')(segments)
    segments.pixels_loc, segments.prototypes_loc = segments.pixels, segments.prototypes
    assert torch.equal(plain, quiet('image_similarity')(segments))
    assert abs(plain - located) > 1e-4


def test_image_similarity_weighs_images_alike():
    """An image with few valid pixels counts as much as a full one."""
    labels, regions, tags = weak_maps(2, (6, 7))
    labels[1, 1:] = 255
    labels[1, 3, 2:5] = 1
    _, segments = pooled(2, maps=(labels, regions, tags))
    loss = quiet('image_similarity', concentration=2.0)
    parts = []
    for n in range(2):
        alone = labels.clone()
        alone[1 - n] = 255
        parts.append(loss(pooled(2, maps=(alone, regions, tags))[1]).item())
    assert abs(parts[0] - parts[1]) > 0.01
    assert loss(segments).item() == pytest.approx(sum(parts) / 2, rel=1e-6)


# -------------------------------------------------------------------- tags


def tagless_batch():
    labels, regions, tags = weak_maps(3, (6, 7))
    tags[1] = torch.arange(C) == 0  # background only
    return labels, regions, tags


def test_tagless_pixels_are_skipped_but_still_repel():
    maps = tagless_batch()
    embedding, segments = pooled(maps=maps)
    value = quiet('cooccurrence')(segments)
    target = expected('cooccurrence', segments, None, 8.0, skip=True)
    assert value.item() == pytest.approx(target.item(), rel=1e-6)
    # the prototypes of the image without a tag get a gradient all the same
    (grad,) = torch.autograd.grad(value, embedding)
    assert grad[1].norm() > 1e-5


def test_tagless_exact_counts_the_own_segment_twice():
    _, segments = pooled(maps=tagless_batch())
    value = quiet('cooccurrence', tagless='exact')(segments)
    target = expected('cooccurrence', segments, None, 8.0, skip=False)
    assert value.item() == pytest.approx(target.item(), rel=1e-6)
    skipped = quiet('cooccurrence')(segments)
    assert abs(value - skipped) > 1e-3
    none = weak_maps(1, (6, 7))
    _, alone = pooled(1, maps=(none[0], none[1], torch.zeros_like(none[2])))
    value = quiet('cooccurrence', tagless='exact')(alone)
    assert value >= np.log(2)


@pytest.mark.parametrize('ignore_tags', [(), (0,), (0, 2), [1]])
def test_ignored_tags(ignore_tags):
    _, segments = pooled()
    value = quiet('cooccurrence', ignore_tags=ignore_tags)(segments)
    target = expected('cooccurrence', segments, None, 8.0, tuple(ignore_tags))
    assert value.item() == pytest.approx(target.item(), rel=1e-6)


def test_background_as_a_tag_changes_the_loss():
    _, segments = pooled()
    assert segments.tags[:, 0].all()
    # everything shares class 0: nothing repels
    assert quiet('cooccurrence', ignore_tags=())(segments) == 0
    assert quiet('cooccurrence')(segments) > 0.01


def unknown_tags_batch():
    """Three images: every pair shares a tag, may share one, or shares none for sure."""
    labels, regions, _ = weak_maps(4, (6, 7))
    tags = torch.zeros(4, C, dtype=torch.int8)
    tags[0, 1] = 1
    tags[1, 2] = 1  # disjoint from the first
    tags[2, 1], tags[2, 2] = 1, -1  # with the first, perhaps with the second
    tags[3] = -1  # perhaps with any, and no anchor
    return labels, regions, tags


def test_unknown_tags_neither_attract_nor_repel():
    maps = unknown_tags_batch()
    embedding, segments = pooled(4, maps=maps)
    value = quiet('cooccurrence')(segments)
    target = expected('cooccurrence', segments, None, 8.0)
    assert value.item() == pytest.approx(target.item(), rel=1e-6)
    (grad,) = torch.autograd.grad(value, embedding)
    assert grad[2].norm() > 1e-5
    assert grad[3].norm() == 0
    # taken as absent, the same tags repel
    known = pooled(4, maps=(*maps[:2], maps[2].clamp_min(0)))[1]
    assert quiet('cooccurrence')(known) > value + 1e-3


def test_of_images_that_declare_nothing_absent_nothing_repels():
    labels, regions, tags = unknown_tags_batch()
    tags[tags == 0] = -1
    embedding, segments = pooled(4, maps=(labels, regions, tags))
    value = quiet('cooccurrence')(segments)
    assert value == 0
    (grad,) = torch.autograd.grad(value, embedding)
    assert not grad.any()


def test_tags_of_the_segments_are_not_changed():
    _, segments = pooled()
    before = segments.tags.clone()
    quiet('cooccurrence')(segments)
    assert torch.equal(segments.tags, before)


@pytest.fixture
def messages(monkeypatch):
    seen = []

    def note(message, logger=None, level=logging.INFO):
        seen.append((level, message))

    monkeypatch.setattr(relation_losses, 'print_log', note)
    return seen


def test_inert_cooccurrence_warns_once(messages):
    _, segments = pooled()
    loss = SemanticCooccurrenceLoss(8, ignore_tags=(), watch_steps=3)
    for step in range(8):
        loss(segments)
        assert len(messages) == (step >= 2)
    level, text = messages[0]
    assert level == logging.WARNING
    assert '0.00%' in text and 'ignore_tags' in text


def test_active_cooccurrence_does_not_warn(messages):
    _, segments = pooled()
    loss = SemanticCooccurrenceLoss(8, ignore_tags=(0,), watch_steps=2)
    for _ in range(5):
        loss(segments)
    assert not messages


def test_evaluation_is_not_watched(messages):
    _, segments = pooled()
    loss = SemanticCooccurrenceLoss(8, ignore_tags=(), watch_steps=2).eval()
    for _ in range(5):
        loss(segments)
    assert not messages
    loss.train()
    for _ in range(2):
        loss(segments)
    assert len(messages) == 1


# ---------------------------------------------------------------- reduction


@pytest.mark.parametrize('kind', KINDS)
def test_global_mean_divides_by_the_mean_count_of_the_ranks(kind, monkeypatch):
    """Twice as many on average over the ranks: half of this rank's own mean."""
    _, segments = pooled()
    own = quiet(kind)(segments)

    def mean_is_twice(count, op):
        assert op == 'mean'
        count.mul_(2)

    monkeypatch.setattr(reduction, 'all_reduce', mean_is_twice)
    assert quiet(kind)(segments) == own
    value = quiet(kind, reduction='global_mean')(segments)
    assert value.item() == pytest.approx(own.item() / 2, rel=1e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_global_mean_of_one_rank_is_the_mean(kind):
    _, segments = pooled()
    value = quiet(kind, reduction='global_mean')(segments)
    assert value.item() == pytest.approx(quiet(kind)(segments).item(), rel=1e-6)


# ------------------------------------------------------------------- errors


@pytest.mark.parametrize('kind', KINDS)
def test_unknown_reduction(kind):
    with pytest.raises(ValueError, match="'rank_mean', 'global_mean'.*got 'mean'"):
        quiet(kind, reduction='mean')


def test_unknown_options():
    with pytest.raises(ValueError, match="got 'drop'"):
        quiet('cooccurrence', tagless='drop')
    with pytest.raises(ValueError, match="got 'color'"):
        quiet('image_similarity', features='color')


def test_affinity_needs_label_sets():
    _, segments = pooled(affinity_threshold=None)
    with pytest.raises(ValueError, match='affinity_threshold'):
        quiet('affinity')(segments)


# ------------------------------------------------------- nothing to compare


def all_void(labels, regions, tags):
    return torch.full_like(labels, 255), regions, tags


def one_region_no_label_no_tag(labels, regions, tags):
    return (
        torch.full_like(labels, C),
        torch.zeros_like(regions),
        torch.zeros_like(tags),
    )


def one_class_everywhere(labels, regions, tags):
    return torch.full_like(labels, 2), torch.zeros_like(regions), torch.ones_like(tags)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('reduction', ['rank_mean', 'global_mean'])
@pytest.mark.parametrize(
    'change', [all_void, one_region_no_label_no_tag, one_class_everywhere]
)
def test_nothing_to_learn_is_an_attached_zero(kind, reduction, change):
    embedding, segments = pooled(2, maps=change(*weak_maps(2, (6, 7))))
    value = quiet(kind, reduction=reduction)(segments)
    assert value.item() == 0
    (grad,) = torch.autograd.grad(value, embedding)
    assert torch.equal(grad, torch.zeros_like(grad))


@pytest.mark.parametrize('kind', ['annotation', 'cooccurrence', 'affinity'])
def test_nothing_of_this_rank_beside_a_memory(kind):
    """A rank without a pixel adds nothing, whatever its memory holds."""
    embedding, segments = pooled(2, maps=all_void(*weak_maps(2, (6, 7))))
    value = quiet(kind)(with_memory_of_two_steps(segments))
    assert value.item() == 0
    (grad,) = torch.autograd.grad(value, embedding)
    assert not grad.any()


def test_names_of_the_losses():
    names = [quiet(kind).loss_name for kind in KINDS]
    assert names == [f'loss_{kind}' for kind in KINDS]
    assert quiet('annotation', loss_name='loss_x').loss_name == 'loss_x'
    assert 'concentration=8' in repr(quiet('annotation', 8))
