import numpy as np
import pytest
from mmseg.datasets.transforms import RandomCrop
from mmseg.registry import TRANSFORMS

from mmseg_spml.datasets import (
    PadToCropSize,
    RandomGaussianBlur5,
    RandomGray,
    RandomResizeOfImage,
    WeakRandomFlip,
)


def sample(height=5, width=7, seed=0):
    rng = np.random.default_rng(seed)
    regions = rng.integers(0, 65536, (height, width)).astype(np.int32)
    return dict(
        img=rng.integers(0, 256, (height, width, 3)).astype(np.uint8),
        gt_seg_map=rng.choice([0, 1, 2, 3, 255], (height, width)).astype(np.uint8),
        region_map=regions,
        tags=np.array([True, False, True]),
        seg_fields=['gt_seg_map', 'region_map'],
        num_classes=3,
    )


class TestRandomResizeOfImage:
    def test_ratio_truncation_and_alignment(self):
        results = sample(5, 7)
        labels, regions = results['gt_seg_map'], results['region_map']
        results = RandomResizeOfImage((1.5, 1.5))(results)
        assert results['img'].shape == (7, 10, 3)  # 7.5, 10.5
        assert results['img_shape'] == (7, 10)
        rows = (np.arange(7) * 5 / 7).astype(int)
        columns = (np.arange(10) * 7 / 10).astype(int)
        pick = np.ix_(rows, columns)
        np.testing.assert_array_equal(results['gt_seg_map'], labels[pick])
        np.testing.assert_array_equal(results['region_map'], regions[pick])
        assert results['region_map'].max() > 255
        assert results['region_map'].dtype == np.int32

    def test_image_is_bilinear(self):
        image = np.array([[[0.0] * 3, [100.0] * 3]], np.float32)
        out = RandomResizeOfImage((2.0, 2.0))(dict(img=image))['img']
        np.testing.assert_allclose(out[0, :, 0], [0, 25, 75, 100])

    def test_ratio_is_uniform_in_the_range(self):
        np.random.seed(0)
        resize = RandomResizeOfImage((0.5, 1.5))
        image = np.zeros((1000, 1, 3), np.uint8)
        heights = [resize(dict(img=image))['img'].shape[0] for _ in range(300)]
        assert 500 <= min(heights) < 520
        assert 1480 < max(heights) <= 1500
        assert abs(np.mean(heights) - 1000) < 50

    def test_never_empty(self):
        image = np.zeros((1, 1, 3), np.uint8)
        assert RandomResizeOfImage((0.5, 0.5))(dict(img=image))['img'].size == 3

    @pytest.mark.parametrize('ratio', [(0, 1), (2, 1), (1,)])
    def test_bad_range(self, ratio):
        with pytest.raises(ValueError, match='low <= high'):
            RandomResizeOfImage(ratio)


class TestPadToCropSize:
    def test_right_and_bottom(self):
        before = sample(2, 3)
        after = PadToCropSize((3, 5), pad_val=(1, 2, 3))(dict(before))
        np.testing.assert_array_equal(after['img'][:2, :3], before['img'])
        assert after['img'][2, 0].tolist() == [1, 2, 3]
        assert after['img'][0, 4].tolist() == [1, 2, 3]
        assert after['gt_seg_map'][2].tolist() == [255] * 5
        assert after['region_map'][2].tolist() == [0] * 5
        np.testing.assert_array_equal(after['region_map'][:2, :3], before['region_map'])
        assert after['region_map'].dtype == np.int32
        assert after['gt_seg_map'].dtype == np.uint8
        assert after['img_shape'] == (3, 5)

    def test_only_where_smaller(self):
        assert PadToCropSize(4)(sample(6, 3))['img'].shape == (6, 4, 3)

    def test_default_is_the_bgr_mean(self):
        image = np.zeros((1, 1, 3), np.float32)
        padded = PadToCropSize((1, 2))(dict(img=image))['img']
        np.testing.assert_allclose(padded[0, 1], [103.53, 116.28, 123.675])

    @pytest.mark.parametrize('bands', [1, 2, 4, 7])
    def test_images_of_other_bands_get_their_mean(self, bands):
        image = np.random.default_rng(0).random((3, 4, bands)).astype(np.float32)
        padded = PadToCropSize((5, 6))(dict(img=image.copy()))['img']
        assert padded.dtype == np.float32
        np.testing.assert_array_equal(padded[:3, :4], image)
        for row, column in ((4, 0), (0, 5), (4, 5)):
            mean = image.reshape(-1, bands).mean(0)
            np.testing.assert_allclose(padded[row, column], mean, rtol=1e-6)

    def test_value_of_each_band(self):
        image = np.zeros((1, 1, 5), np.uint16)
        padded = PadToCropSize((1, 2), pad_val=(1, 2, 3, 4, 500))(dict(img=image))
        assert padded['img'][0, 1].tolist() == [1, 2, 3, 4, 500]
        with pytest.raises(ValueError, match='each of the 4 channels'):
            PadToCropSize(2, pad_val=(1, 2, 3))(dict(img=image[..., :4]))


def test_random_crop_of_mmseg_takes_both_maps():
    np.random.seed(1)
    before = sample(9, 8)
    coordinates = np.arange(72, dtype=np.int32).reshape(9, 8)
    before['region_map'] = coordinates
    after = RandomCrop(crop_size=(4, 3))(dict(before))
    top, left = divmod(int(after['region_map'][0, 0]), 8)
    window = np.s_[top : top + 4, left : left + 3]
    np.testing.assert_array_equal(after['region_map'], coordinates[window])
    np.testing.assert_array_equal(after['gt_seg_map'], before['gt_seg_map'][window])
    np.testing.assert_array_equal(after['img'], before['img'][window])


class TestWeakRandomFlip:
    def test_swaps_labels_and_tags_but_no_region(self):
        results = dict(
            img=np.arange(6).reshape(1, 2, 3),
            gt_seg_map=np.array([[2, 0]], np.uint8),
            region_map=np.array([[2, 3]], np.int32),
            tags=np.array([True, False, True, False]),
            box_extents=np.array([[1, 2]], np.int32),
            box_classes=np.eye(4, dtype=bool)[[1, 2, 3]],
            tight_classes=np.eye(4, dtype=bool)[[0, 2, 3]],
            seg_fields=['gt_seg_map', 'region_map', 'box_extents'],
            num_classes=4,
        )
        results = WeakRandomFlip(prob=1.0, swap_labels=[(2, 3)])(results)
        assert results['box_extents'].tolist() == [[2, 1]]
        assert results['box_classes'].argmax(axis=1).tolist() == [1, 3, 2]
        assert results['tight_classes'].argmax(axis=1).tolist() == [0, 3, 2]
        assert results['gt_seg_map'].tolist() == [[0, 3]]
        assert results['region_map'].tolist() == [[3, 2]]
        assert results['tags'].tolist() == [True, False, False, True]
        assert results['img'].tolist() == [[[3, 4, 5], [0, 1, 2]]]
        assert results['flip'] is True
        assert results['flip_direction'] == 'horizontal'

    def test_void_and_unlabeled_stay(self):
        results = dict(
            img=np.zeros((1, 3, 3)),
            gt_seg_map=np.array([[0, 2, 255]], np.uint8),
            seg_fields=['gt_seg_map'],
            num_classes=2,
        )
        results = WeakRandomFlip(prob=1.0, swap_labels=[(0, 1)])(results)
        assert results['gt_seg_map'].tolist() == [[255, 2, 1]]

    def test_never(self):
        before = sample()
        after = WeakRandomFlip(prob=0.0, swap_labels=[(0, 1)])(dict(before))
        assert after['gt_seg_map'] is before['gt_seg_map']
        assert after['flip'] is False

    def test_half_of_the_time(self):
        np.random.seed(0)
        flip = WeakRandomFlip()
        count = sum(flip(dict(img=np.zeros((1, 1, 3))))['flip'] for _ in range(400))
        assert 160 < count < 240

    @pytest.mark.parametrize('pairs', [[(1, 1)], [(1, 2), (2, 3)], [(1, 255)]])
    def test_bad_pairs(self, pairs):
        with pytest.raises(ValueError, match='each id once'):
            WeakRandomFlip(swap_labels=pairs)

    def test_pair_beyond_the_classes(self):
        with pytest.raises(ValueError, match='class 3.* 3 classes'):
            WeakRandomFlip(prob=1.0, swap_labels=[(2, 3)])(sample())

    def test_bad_probability(self):
        with pytest.raises(ValueError, match='prob'):
            WeakRandomFlip(prob=2)


class TestColor:
    def test_gray_weights_by_channel_order(self):
        image = np.array([[[200, 100, 50]]], np.uint8)
        gray = RandomGray(1.0)(dict(img=image))['img']
        assert gray.tolist() == [[[96] * 3]]  # .11 200 + .59 100 + .3 50
        gray = RandomGray(1.0, channel_order='rgb')(dict(img=image))['img']
        assert gray.tolist() == [[[124] * 3]]  # 124.5, to even
        gray = RandomGray(1.0)(dict(img=image.astype(np.float32)))['img']
        assert gray.dtype == np.float32

    def test_gray_never(self):
        image = np.array([[[200, 100, 50]]], np.uint8)
        assert RandomGray(0.0)(dict(img=image))['img'] is image

    def test_gray_of_other_bands(self):
        with pytest.raises(ValueError, match=r'three channels, got .*\(5, 7, 4\)'):
            RandomGray(1.0)(dict(img=np.zeros((5, 7, 4), np.uint8)))

    def test_blur_kernel(self):
        kernel = RandomGaussianBlur5.kernel(1.5)
        assert kernel.shape == (5, 5)
        assert kernel.sum() == pytest.approx(1)
        assert kernel[0, 0] / kernel[2, 2] == pytest.approx(np.exp(-8 / 2.25))
        assert kernel[2, 3] / kernel[2, 2] == pytest.approx(np.exp(-1 / 2.25))

    def test_blur_with_a_mirrored_border(self):
        rng = np.random.default_rng(0)
        image = rng.uniform(0, 255, (6, 7, 3)).astype(np.float32)
        out = RandomGaussianBlur5(1.0, sigma=(2.0, 2.0))(dict(img=image))['img']
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode='reflect')
        kernel = RandomGaussianBlur5.kernel(2.0)
        expected = np.zeros_like(image)
        for y, x in np.ndindex(5, 5):
            expected += kernel[y, x] * padded[y : y + 6, x : x + 7]
        np.testing.assert_allclose(out, expected, rtol=1e-4)
        assert not np.allclose(out, image)

    def test_smallest_sigma_changes_nothing(self):
        image = sample()['img']
        out = RandomGaussianBlur5(1.0, sigma=(0.1, 0.1))(dict(img=image))['img']
        np.testing.assert_array_equal(out, image)


@pytest.mark.parametrize(
    'name',
    ['RandomResizeOfImage', 'WeakRandomFlip', 'RandomGray']
    + ['RandomGaussianBlur5', 'PadToCropSize'],
)
def test_registered_and_printable(name):
    size = dict(size=[4, 5]) if name == 'PadToCropSize' else {}
    assert repr(TRANSFORMS.build(dict(type=name, **size))).startswith(name)
