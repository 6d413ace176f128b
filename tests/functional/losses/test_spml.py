"""The losses on embedding maps: against loops, without labels, in a training loop."""

import pytest
import reference
import torch

from mmseg_spml.functional import (
    SegmentPooler,
    feature_affinity_loss,
    image_similarity_loss,
    semantic_annotation_loss,
    semantic_cooccurrence_loss,
    shown_classes,
)
from mmseg_spml.functional.losses.relations import similarity_loss
from mmseg_spml.functional.segments.segments import Segments

C, SIZE = 4, (6, 7)
LOSSES = {
    'annotation': semantic_annotation_loss,
    'cooccurrence': semantic_cooccurrence_loss,
    'similarity': image_similarity_loss,
    'affinity': feature_affinity_loss,
}


def scene(count=3, dtype=torch.float64):
    """Embedding, labels of twice its size, regions, tags."""
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(count, 5, *SIZE, generator=generator, dtype=dtype)
    large = [2 * side for side in SIZE]
    labels = torch.randint(0, C + 2, (count, *large), generator=generator)
    labels[labels > C] = 255
    regions = torch.randint(0, 3, (count, *large), generator=generator)
    tags = torch.eye(C, dtype=torch.int8)[torch.arange(count) % 2 + 1]
    return embedding.requires_grad_(), labels, regions, tags


def call(name, embedding, labels, regions, tags, **options):
    """A loss by name, with what it takes of a scene."""
    maps = dict(
        annotation=(regions,),
        cooccurrence=(tags, regions),
        similarity=(regions,),
        affinity=(regions,),
    )[name]
    options = dict(num_classes=C, grid=(2, 2), iterations=3, **options)
    return LOSSES[name](embedding, labels, *maps, **options)


def by_loops(name, embedding, labels, regions, tags, concentration):
    """The loss over the same segments by loops over pixels and segments."""
    threshold = 0.95 if name == 'affinity' else None
    pooler = SegmentPooler(C, (2, 2), 3, threshold)
    segments = pooler(embedding, labels, regions, tags)
    own, count = segments.pixel_segment, len(segments.pixels)
    label, image, region = (
        x.tolist() for x in (segments.label, segments.image, segments.region)
    )
    pixels, prototypes = segments.pixels, segments.prototypes
    anchors = list(range(count))
    if name == 'annotation':
        pixel_label = segments.pixel_label.tolist()
        rule = reference.annotation_rule(pixel_label, label, C)
        anchors = [i for i in anchors if pixel_label[i] < C]
    elif name == 'cooccurrence':
        shown = segments.tags.numpy()
        rule = reference.cooccurrence_rule(shown[own], shown, (0,))
    elif name == 'similarity':
        pixel_region = [region[s] for s in own]
        pixel_image = segments.pixel_image.tolist()
        rule = reference.similarity_rule(pixel_region, pixel_image, region, image)
        pixels, prototypes = segments.pixels_loc, segments.prototypes_loc
    else:
        sets = segments.label_sets.numpy()
        rule = reference.set_rule(sets[own], sets)
    same, different = reference.tables(count, len(segments), rule)
    values = reference.losses(
        pixels[anchors],
        prototypes,
        own[anchors].tolist(),
        same[anchors],
        different[anchors],
        concentration,
    )
    if name == 'similarity':
        return reference.image_mean(values, segments.pixel_image.tolist())
    return values.mean()


@pytest.mark.parametrize('name', LOSSES)
def test_value_and_gradient_against_loops(name):
    embedding, *maps = scene()
    found = call(name, embedding, *maps, concentration=5.0)
    expected = by_loops(name, embedding, *maps, 5.0)
    assert expected > 0.05
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-6, atol=0)
    (gradient,) = torch.autograd.grad(found, embedding, retain_graph=True)
    (target,) = torch.autograd.grad(expected, embedding)
    assert (gradient - target).norm() / target.norm() < 1e-6


@pytest.mark.parametrize('name', LOSSES)
def test_nothing_to_compare_is_an_attached_zero(name):
    embedding, labels, regions, tags = scene()
    loss = call(name, embedding, torch.full_like(labels, 255), regions, tags)
    assert loss == 0
    loss.backward()
    assert not embedding.grad.any()


def test_tags_are_by_default_the_classes_of_the_labels_but_background():
    embedding, labels, regions, _ = scene()
    labels[0][labels[0] == 1] = 0
    labels[1][(labels[1] == 2) | (labels[1] == 3)] = 1
    shown = shown_classes(labels, C)
    assert shown.tolist()[:2] == [[True, False, True, True], [True, True, False, False]]
    given = call('cooccurrence', embedding, labels, regions, shown)
    assert call('cooccurrence', embedding, labels, regions, None) == given > 0.1
    with_background = call(
        'cooccurrence', embedding, labels, regions, shown, ignore_tags=()
    )
    assert with_background == 0  # all images share it: nothing repels
    assert shown[:, 0].all()  # the caller's tags are as they were


def test_regions_split_segments_only_where_they_are_given():
    embedding, labels, regions, _ = scene()
    options = dict(num_classes=C, grid=(2, 2), iterations=3)
    without = semantic_annotation_loss(embedding, labels, **options)
    one = semantic_annotation_loss(
        embedding, labels, torch.zeros_like(regions), **options
    )
    split = semantic_annotation_loss(embedding, labels, regions, **options)
    assert without == one != split


@pytest.mark.parametrize('name', LOSSES)
def test_double_precision(name):
    embedding, *maps = scene(dtype=torch.float64)
    found = call(name, embedding, *maps)
    assert found.dtype == torch.float64
    single = call(name, embedding.float(), *maps)
    torch.testing.assert_close(found.float(), single, rtol=1e-4, atol=0)


def test_gradcheck():
    labels = torch.tensor([[[0, 1, 2], [2, 255, 0], [1, 1, 2]]])
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(1, 3, 3, 3, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(
        lambda maps: semantic_annotation_loss(maps, labels, num_classes=2),
        embedding.requires_grad_(),
    )


def test_bad_classes_and_missing_regions():
    embedding, labels, regions, _ = scene()
    with pytest.raises(ValueError, match='label'):
        semantic_cooccurrence_loss(embedding, labels - 1, num_classes=C)
    with pytest.raises(ValueError, match='num_classes'):
        semantic_annotation_loss(embedding, labels, num_classes=300)
    with pytest.raises(ValueError, match='needs regions'):
        image_similarity_loss(embedding, labels, None, num_classes=C)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    embedding, labels, regions, _ = scene(dtype=torch.float32)
    embedding = embedding.detach()
    narrow = embedding.to(dtype).requires_grad_()
    loss = image_similarity_loss(narrow, labels, regions, num_classes=C)
    assert loss.dtype == torch.float32
    loss.backward()
    assert narrow.grad.dtype == dtype and narrow.grad.isfinite().all()


def test_a_plain_training_loop_separates_the_classes():
    """The example of the README: features of two classes part in 20 steps."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 16, 16)
    labels = torch.full((2, 16, 16), 2)
    images[:, 0, :8] += 1
    labels[:, 2, 3:9], labels[:, 12, 3:9] = 0, 1
    network = torch.nn.Conv2d(3, 8, 3, padding=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    values = []
    for _ in range(20):
        loss = semantic_annotation_loss(network(images), labels, num_classes=2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < values[0] / 4


@pytest.mark.parametrize('name', LOSSES)
def test_wrong_shapes_are_named(name):
    embedding, labels, regions, tags = scene()
    with pytest.raises(ValueError, match='labels must have the size'):
        call(name, embedding, labels[:2], regions, tags)
    with pytest.raises(ValueError, match='concentration must be 0 or more'):
        call(name, embedding, labels, regions, tags, concentration=-1.0)


@pytest.mark.parametrize('name', LOSSES)
def test_compiled_losses_have_the_same_gradient(name):
    embedding, *maps = scene(dtype=torch.float32)

    def loss(vectors):
        return call(name, vectors, *maps)

    gradients = []
    for function in (loss, torch.compile(loss, backend='eager')):
        embedding.grad = None
        function(embedding).backward()
        gradients.append(embedding.grad)
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(gradients[1], gradients[0])


def test_similarity_needs_the_segments_of_its_own_images():
    embedding, labels, regions, _ = scene()
    segments = SegmentPooler(C)(
        embedding, labels[..., ::2, ::2], regions[..., ::2, ::2]
    )
    joined = Segments.concat([segments, segments.to_memory()])
    with pytest.raises(ValueError, match='no prototypes_loc'):
        similarity_loss(joined, 8.0)
    plain = similarity_loss(segments, 8.0, located=False)
    # Segments of the memory are of other images; their number divides the mean alike.
    assert torch.allclose(similarity_loss(joined, 8.0, located=False), plain)


def test_tags_of_shares():
    """They would be cut to 0."""
    embedding, labels, _, tags = scene()
    for wrong in (tags.double() * 0.7, tags[0]):
        with pytest.raises(ValueError, match=r'tags \(N, C\) of 1'):
            semantic_cooccurrence_loss(embedding, labels, wrong, num_classes=C)


@pytest.mark.parametrize('shape', [(3, 1, 12, 14), (12, 14)])
def test_label_maps_of_other_dimensions(shape):
    with pytest.raises(ValueError, match=r'maps \(N, H, W\), got'):
        semantic_annotation_loss(
            scene()[0], torch.zeros(shape, dtype=torch.long), num_classes=C
        )
