"""Tests of the Dice coefficients of volumes against counted pixels."""

import numpy as np
import pytest
import torch

from mmseg_spml.evaluation import ClassIoUMetric, VolumeDiceMetric

CLASSES = ('background', 'right', 'wall', 'left', 'never')
PATTERN = r'(patient\d+)_slice_\d+'


def slice_of(seed, name):
    """A prediction and a truth with void, without the last class."""
    generator = torch.Generator().manual_seed(seed)
    truth, found = torch.randint(0, 4, (2, 1, 6, 7), generator=generator)
    truth[:, 0, :3] = 255
    return dict(
        img_path=f'scans/{name}.png',
        pred_sem_seg=dict(data=found),
        gt_sem_seg=dict(data=truth),
    )


SLICES = [
    slice_of(0, 'patient1_slice_0'),
    slice_of(1, 'patient2_slice_0'),
    slice_of(2, 'patient1_slice_1'),
]


def evaluated(metric, slices=SLICES):
    metric.dataset_meta = dict(classes=CLASSES)
    for one in slices:
        metric.process({}, [one])
    return metric.evaluate(len(slices))


def by_counting(slices, label):
    values = []
    for patient in ('patient1', 'patient2'):
        inner = total = 0
        for one in slices:
            if patient not in one['img_path']:
                continue
            truth, found = (
                np.ravel(one[key]['data']) for key in ('gt_sem_seg', 'pred_sem_seg')
            )
            found = found[truth < 255]
            truth = truth[truth < 255]
            inner += ((found == label) & (truth == label)).sum()
            total += (found == label).sum() + (truth == label).sum()
        if total:
            values.append(200 * inner / total)
    return np.mean(values)


def test_dice_of_volumes_by_counting():
    values = evaluated(VolumeDiceMetric(volume=PATTERN))
    dice = [by_counting(SLICES, label) for label in range(4)]
    for name, wanted in zip(CLASSES, dice):
        assert values[f'Dice/{name}'] == pytest.approx(wanted, abs=0.0051)
    assert 'Dice/never' not in values
    assert values['Dice'] == pytest.approx(np.mean(dice[1:]), abs=0.0051)


def test_background_counts_if_it_is_not_ignored():
    values = evaluated(VolumeDiceMetric(volume=PATTERN, ignore_classes=()))
    dice = [by_counting(SLICES, label) for label in range(4)]
    assert values['Dice'] == pytest.approx(np.mean(dice), abs=0.0051)


def test_a_volume_without_the_class_does_not_count():
    other = slice_of(5, 'patient2_slice_0')
    for key in ('pred_sem_seg', 'gt_sem_seg'):
        data = other[key]['data']
        data[data == 3] = 0
    slices = [SLICES[0], other]
    values = evaluated(VolumeDiceMetric(volume=PATTERN), slices)
    assert values['Dice/left'] == pytest.approx(by_counting(slices[:1], 3), abs=0.0051)


def test_the_other_values_are_those_of_class_iou():
    values = evaluated(VolumeDiceMetric(volume=PATTERN))
    plain = evaluated(ClassIoUMetric())
    assert {k: v for k, v in values.items() if not k.startswith('Dice')} == plain


def test_volumes_of_different_folders_are_different():
    one, other = slice_of(0, 'patient1_slice_0'), slice_of(1, 'patient2_slice_0')
    expected = evaluated(VolumeDiceMetric(volume=PATTERN), [one, other])
    other['img_path'] = 'others/patient1_slice_0.png'
    assert evaluated(VolumeDiceMetric(volume=PATTERN), [one, other]) == expected


def test_names_that_do_not_match():
    with pytest.raises(ValueError, match=r'scans/other.png.*does not match'):
        evaluated(VolumeDiceMetric(volume=PATTERN), [slice_of(0, 'other')])


@pytest.mark.parametrize('volume', ['patient', '(a)(b)', '('])
def test_bad_expressions(volume):
    with pytest.raises(ValueError, match='volume'):
        VolumeDiceMetric(volume=volume)


def test_format_only_returns_nothing(tmp_path):
    metric = VolumeDiceMetric(
        volume=PATTERN, format_only=True, output_dir=str(tmp_path), collect_device='cpu'
    )
    assert metric.compute_metrics([]) == {}
