"""Tests of the written label maps and of their report."""

import json

import cv2
import numpy as np
import pytest
import torch

from mmseg_spml.evaluation import PseudoLabelWriter

META = dict(classes=('ground', 'cat'), palette=[[0, 0, 0], [255, 0, 0]])
# The class that has a score of 0.6 at each pixel.
LABELS = np.array([[0, 0, 1, 1], [0, 1, 1, 1]])
WEAK = np.array([[2, 1, 2, 255], [2, 2, 0, 2]])


@pytest.fixture
def sample(tmp_path):
    path = str(tmp_path / 'images' / 'a.png')
    (tmp_path / 'images').mkdir()
    cv2.imwrite(path, np.full((2, 4, 3), 99, np.uint8))
    scores = torch.from_numpy(np.where(LABELS == [[[0]], [[1]]], 0.6, 0.4)).float()
    extents = torch.ones(2, 2, 4, dtype=torch.bool)
    extents[1, :, 3] = False
    return dict(
        img_path=path,
        ori_shape=(2, 4),
        pseudo_scores=dict(data=scores),
        gt_sem_seg=dict(data=torch.from_numpy(WEAK)[None]),
        box_extents=dict(data=extents),
    )


def batch(samples):
    """Load the images of samples as a pipeline does."""
    images = [cv2.imread(sample['img_path']) for sample in samples]
    return dict(inputs=[torch.from_numpy(i).permute(2, 0, 1) for i in images])


def written(tmp_path, sample, **options):
    """Run the writer on a sample, and return the label map and the metrics."""
    out = tmp_path / 'out'
    writer = PseudoLabelWriter(str(out), **options)
    writer.dataset_meta = META
    writer.process(batch([sample]), [sample])
    metrics = writer.evaluate(1)
    return cv2.imread(str(out / 'a.png'), cv2.IMREAD_UNCHANGED), metrics


def test_void_stays_and_shapes_do_if_wanted(tmp_path, sample):
    labels, metrics = written(tmp_path, sample)
    assert labels.tolist() == [[0, 0, 1, 255], [0, 1, 1, 1]]
    assert metrics == {'pseudo_labels/files': 1, 'pseudo_labels/labeled': 87.5}
    kept, _ = written(tmp_path, sample, keep_weak_labels=True)
    assert kept.tolist() == [[0, 1, 1, 255], [0, 1, 0, 1]]


@pytest.mark.parametrize('crf', [None, dict(iterations=3)])
def test_classes_stay_in_their_boxes(tmp_path, sample, crf):
    sample['pseudo_scores']['data'][1] += 1  # without boxes, cats are everywhere
    outside, _ = written(tmp_path, sample, crf=crf, keep_void=False)
    inside, _ = written(tmp_path, sample, crf=crf, keep_void=False, keep_boxes=True)
    assert (outside == 1).all()
    assert (inside[:, :3] == 1).all() and (inside[:, 3] == 0).all()


def test_report_with_and_without_crf(tmp_path, sample):
    (tmp_path / 'masks').mkdir()
    mask = np.zeros((2, 4), np.uint8)
    mask[:, 3] = 255
    cv2.imwrite(str(tmp_path / 'masks' / 'a.png'), mask)
    # In a picture of one color, the CRF gives all pixels to the stronger class.
    sample['pseudo_scores']['data'][0] *= 1.2
    labels, metrics = written(
        tmp_path, sample, crf={}, keep_void=False, truth=str(tmp_path / 'masks')
    )
    before = 100 * (3 / 6 + 0) / 2
    assert metrics['pseudo_labels/mIoU_before_crf'] == pytest.approx(before)
    report = json.loads((tmp_path / 'out' / 'logs' / 'report.json').read_text())
    confusion = np.array(report['confusion'])
    assert confusion.tolist() == [
        [(labels[:, :3] == c).sum() for c in (0, 1, 2)],
        [0] * 3,
    ]
    assert report['mIoU'] == pytest.approx(metrics['pseudo_labels/mIoU'], abs=0.01)
    assert report['mIoU_before_crf'] == pytest.approx(before)
    assert report['of'] == 'training'
    assert list(report['images']) == ['a.png']
    assert (tmp_path / 'out' / 'logs' / 'picture.png').is_file()


@pytest.mark.parametrize('crf', [None, {}])
def test_what_has_no_score_is_unlabeled(tmp_path, sample, crf):
    scores = sample['pseudo_scores']['data']
    scores[:, 0, :2] = 0
    scores[1] = 0  # a class that the image does not show
    part, _ = written(tmp_path, sample, crf=crf, keep_void=False)
    assert part.tolist() == [[2, 2, 0, 0], [0, 0, 0, 0]]
    scores.zero_()
    none, metrics = written(tmp_path, sample, crf=crf, keep_void=False)
    assert (none == 2).all()
    assert metrics['pseudo_labels/labeled'] == 0


@pytest.mark.parametrize('crf', [None, {}])
def test_scores_that_are_not_finite(tmp_path, sample, crf):
    """They would be written as certain background."""
    sample['pseudo_scores']['data'] *= float('nan')
    with pytest.raises(ValueError, match=r'a\.png: the scores .* not finite'):
        written(tmp_path, sample, crf=crf)


def test_images_of_a_batch_are_as_alone(tmp_path, sample):
    none, large = (dict(sample, img_path=str(tmp_path / name)) for name in ('b', 'c'))
    for other, size in ((none, (3, 5)), (large, (6, 8))):
        del other['gt_sem_seg']
        cv2.imwrite(other['img_path'] + '.png', np.full((*size, 3), 50, np.uint8))
        other['img_path'] += '.png'
        other.update(ori_shape=size, pseudo_scores=dict(data=torch.rand(2, *size)))
    none['pseudo_scores']['data'].zero_()
    samples = [sample, none, large]
    labels = []
    for folder, batches in (('one', [[s] for s in samples]), ('all', [samples])):
        writer = PseudoLabelWriter(str(tmp_path / folder), crf={}, keep_void=False)
        for chosen in batches:
            writer.process(batch(chosen), chosen)
        maps = [cv2.imread(str(tmp_path / folder / f'{n}.png'), -1) for n in 'abc']
        labels.append(maps)
    for alone, together in zip(*labels):
        assert (alone == together).all()
    assert (labels[0][1] == 2).all() and (labels[0][2] < 2).all()


def test_files_have_the_size_of_their_images(tmp_path, sample):
    (tmp_path / 'masks').mkdir()
    mask = np.kron(LABELS, np.ones((3, 3))).astype(np.uint8)
    cv2.imwrite(str(tmp_path / 'masks' / 'a.png'), mask)
    sample['ori_shape'] = (6, 12)
    labels, metrics = written(
        tmp_path, sample, keep_void=False, truth=str(tmp_path / 'masks')
    )
    assert (labels == mask).all()
    assert metrics['pseudo_labels/mIoU'] == 100


def test_nothing_to_write(tmp_path):
    writer = PseudoLabelWriter(str(tmp_path), truth=str(tmp_path))
    assert writer.compute_metrics([]) == dict(files=0)


def test_images_of_one_name_have_maps_of_their_own(tmp_path, sample):
    out = tmp_path / 'out'
    writer = PseudoLabelWriter(str(out))
    writer.dataset_meta = META
    samples = [dict(sample, map_name='x/a'), dict(sample, map_name='y/a')]
    writer.process(batch(samples), samples)
    assert writer.evaluate(2)['pseudo_labels/files'] == 2
    assert sorted(out.rglob('*.png')) == [out / 'x' / 'a.png', out / 'y' / 'a.png']
