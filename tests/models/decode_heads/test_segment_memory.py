import io

import pytest
import torch
from models.small_segmentor import C, D, batch, build, pooled

from mmseg_spml.functional.segments.segments import Segments
from mmseg_spml.models import SegmentMemory
from mmseg_spml.models.decode_heads import segment_memory

CPU = torch.device('cpu')
FIELDS = ('prototypes', 'label', 'region', 'image', 'tags')


def step(seed, count=2):
    """Segments of a training step of ``count`` images."""
    return pooled(count, seed=seed, dtype=torch.float32)[1]


def filled(steps=2, appended=3):
    memory = SegmentMemory(steps)
    for seed in range(appended):
        memory.append(step(seed))
    return memory


def equal(first, second, fields=(*FIELDS, 'label_sets')):
    return all(
        torch.equal(getattr(first, name), getattr(second, name)) for name in fields
    )


def test_oldest_first_and_oldest_leaves():
    memory = filled(steps=2, appended=3)
    expected = [step(1), step(2)]
    kept = memory.segments(CPU)
    assert equal(kept, Segments.concat(expected))
    assert len(kept) == len(expected[0]) + len(expected[1])


def test_kept_images_never_equal_current_ones():
    memory = SegmentMemory(2)
    memory.append(step(0))
    memory.append(step(1, count=3))
    everything = Segments.concat([step(2), memory.segments(CPU)])
    current = len(step(2))
    assert everything.image[:current].unique().tolist() == [0, 1]
    assert everything.image[current:].unique().tolist() == [2, 3, 4, 5, 6]
    tags = torch.cat([step(n, c).image_tags for n, c in ((2, 2), (0, 2), (1, 3))])
    assert torch.equal(everything.image_tags, tags)


def test_state_of_an_earlier_version_is_left_out(monkeypatch):
    """It must not keep a model from being trained further."""
    memory = filled()
    state = memory.state()
    state['kept'] = [dict(kept, tags=kept['label']) for kept in state['kept']]
    warnings = []
    monkeypatch.setattr(
        segment_memory, 'print_log', lambda message, **_: warnings.append(message)
    )
    memory.load_state(state)
    assert memory.segments(CPU) is None
    assert 'an earlier version of mmseg_spml' in warnings[0]


def test_a_memory_that_no_hook_keeps(monkeypatch):
    said = []
    monkeypatch.setattr(
        segment_memory, 'print_log', lambda message, **_: said.append(message)
    )
    memory = filled()
    assert len(said) == 1 and 'No SegmentMemoryHook' in said[0]
    memory.clear()
    memory.in_checkpoints = True
    memory.append(step(0))
    assert len(said) == 1


def test_only_segments_are_kept_and_detached():
    memory = SegmentMemory(1)
    segments = step(0)
    assert segments.prototypes.requires_grad
    memory.append(segments)
    kept = memory.segments(CPU)
    assert len(kept.pixels) == len(kept.pixel_segment) == len(kept.pixel_image) == 0
    assert kept.pixels.shape[1] == D
    assert kept.prototypes_loc.shape == (len(segments), 0)
    assert not kept.prototypes.requires_grad and not kept.pixels.requires_grad
    with torch.no_grad():
        segments.prototypes.zero_()
    assert kept.prototypes.abs().sum() > 1


def test_nothing_kept():
    assert SegmentMemory(2).segments(CPU) is None
    assert filled(steps=0).segments(CPU) is None
    memory = filled()
    memory.clear()
    assert memory.segments(CPU) is None


def test_negative_steps():
    with pytest.raises(ValueError, match='got -1'):
        SegmentMemory(-1)


def test_accumulated_forwards_form_one_step():
    memory = SegmentMemory(1)
    memory.forwards_per_step = 2
    memory.append(step(0))
    assert memory.segments(CPU) is None
    memory.append(step(1))
    expected = [step(0), step(1)]
    assert equal(memory.segments(CPU), Segments.concat(expected))
    memory.append(step(2))
    # the third forward waits for the fourth
    expected = [step(0), step(1)]
    assert equal(memory.segments(CPU), Segments.concat(expected))
    memory.append(step(3))
    expected = [step(2), step(3)]
    assert equal(memory.segments(CPU), Segments.concat(expected))


# --------------------------------------------------------------- checkpoint


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def bytes_of(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.tell()


def test_state_survives_a_file():
    memory = filled()
    state = through_a_file(memory.state())
    restored = SegmentMemory(2)
    restored.load_state(state)
    assert equal(restored.segments(CPU), memory.segments(CPU))
    assert restored.segments(CPU).num_classes == C
    # and it goes on as if nothing had happened
    for one in (memory, restored):
        one.append(step(9))
    assert equal(restored.segments(CPU), memory.segments(CPU))


def test_pending_forwards_survive_a_file():
    memory = SegmentMemory(1)
    memory.forwards_per_step = 2
    memory.append(step(0))
    restored = SegmentMemory(1)
    restored.forwards_per_step = 2
    restored.load_state(through_a_file(memory.state()))
    for one in (memory, restored):
        one.append(step(1))
    assert equal(restored.segments(CPU), memory.segments(CPU))


def test_a_longer_memory_is_cut_to_the_newest_steps():
    source = filled(steps=2, appended=2)
    target = SegmentMemory(1)
    target.load_state(source.state())
    assert equal(target.segments(CPU), step(1))


def test_memory_without_label_sets():
    memory = SegmentMemory(1)
    segments = pooled(2, affinity_threshold=None, dtype=torch.float32)[1]
    memory.append(segments)
    restored = SegmentMemory(1)
    restored.load_state(through_a_file(memory.state()))
    kept = restored.segments(CPU)
    assert kept.label_sets is None
    assert equal(kept, segments, FIELDS)


def few_segments_of_many_pixels():
    zero = torch.zeros(2, 64, 64, dtype=torch.long)
    maps = zero, zero, torch.ones(2, C, dtype=torch.bool)
    return pooled(2, (64, 64), dtype=torch.float32, maps=maps)[1]


def test_state_holds_no_pixels():
    memory = SegmentMemory(2)
    memory.append(few_segments_of_many_pixels())
    assert bytes_of(memory.state()) < 20_000


def test_state_of_pending_forwards_holds_no_pixels():
    memory = SegmentMemory(2)
    memory.forwards_per_step = 2
    memory.append(few_segments_of_many_pixels())
    assert bytes_of(memory.state()) < 20_000


def test_averages_of_weights_have_no_part_in_it():
    assert not filled().state_dict()


# ------------------------------------------------------------------ in a head


def head_and_inputs():
    model = build()
    inputs, samples = batch()
    return model, inputs, samples


def test_head_appends_in_training_only():
    model, inputs, samples = head_and_inputs()
    memory = model.decode_head.memory
    model.eval()
    model.loss(inputs, samples)
    assert memory.segments(CPU) is None
    model.train()
    with torch.no_grad():
        model.loss(inputs, samples)
    assert memory.segments(CPU) is None
    model.loss(inputs, samples)
    kept = memory.segments(CPU)
    assert kept.image.unique().tolist() == [0, 1]


def test_head_appends_after_comparing():
    """The first step sees no memory, the second sees the first."""
    model, inputs, samples = head_and_inputs()
    model.decode_head.classifier.eval()
    model.backbone.eval()
    model.neck.eval()
    first = model.loss(inputs, samples)
    second = model.loss(inputs, samples)
    same = ('decode.loss_ce', 'decode.loss_image_similarity')
    for name, value in first.items():
        changed = abs(value.item() - second[name].item()) > 1e-5
        assert changed != (name in same or 'acc' in name), name


def test_a_resumed_memory_moves_to_the_device_of_the_training():
    """Two kept steps on two devices are joined; the meta device stands for CUDA."""
    memory = filled(steps=2)
    elsewhere = torch.device('meta')
    memory._kept[1] = memory._kept[1].to(elsewhere)
    assert memory.segments(elsewhere).prototypes.device == elsewhere
