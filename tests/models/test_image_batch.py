"""Colors that losses compare, of images of any number of bands."""

import pytest
import torch

from mmseg_spml.models.data_preprocessor import SPMLDataPreProcessor, normalize
from mmseg_spml.models.image_batch import colors_of


def preprocessor(mean, std=50.0):
    return SPMLDataPreProcessor(mean=mean, std=[std + value / 10 for value in mean])


def test_colors_of_eight_bits_are_restored():
    images = 255 * torch.rand(2, 3, 4, 5)
    made = preprocessor([10.0, 20.0, 200.0])
    torch.testing.assert_close(colors_of(normalize(images, made), made), images)


@pytest.mark.parametrize('mean, std', [(0.4, 0.2), (90.0, 900.0)])
def test_other_ranges_of_three_bands_are_no_colors_of_eight_bits(mean, std):
    made = preprocessor([mean] * 3, std)
    assert not made.is_eight_bit
    # Otherwise, black and white would be as alike as neighboring gray levels.
    found = colors_of(
        torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).repeat(1, 3, 1, 1), made
    )
    assert (found[1] - found[0]).min() == 116


@pytest.mark.parametrize('bands', [1, 2, 3, 4, 8])
def test_other_bands_look_like_photographs(bands):
    made = preprocessor([500.0 + band for band in range(bands)])
    assert not made.is_eight_bit
    inputs = torch.randn(2, bands, 4, 5)
    found = colors_of(inputs, made)
    assert found.shape == (2, 3, 4, 5)
    for channel in range(3):
        band = channel if bands >= 3 else 0
        torch.testing.assert_close(found[:, channel], 117 + 58 * inputs[:, band])
