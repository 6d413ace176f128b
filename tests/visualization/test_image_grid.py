"""Tests of pictures by exact colors and places that were computed by hand."""

import cv2
import numpy as np
import pytest

from mmseg_spml.visualization.embedding_colors import embedding_to_rgb
from mmseg_spml.visualization.image_grid import class_legend, image_grid
from mmseg_spml.visualization.label_maps import (
    colorize,
    draw_segment_outlines,
    overlay_weak_labels,
)

PALETTE = ((10, 20, 30), (200, 0, 0))


def test_colorise_every_kind_of_value():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    expected = [[PALETTE[0], PALETTE[1]], [(1, 2, 3), (9, 9, 9)]]
    got = colorize(labels, PALETTE, unlabeled=(1, 2, 3), void=(9, 9, 9))
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(
        got, colorize(labels.astype(int), PALETTE, unlabeled=(1, 2, 3), void=(9,) * 3)
    )


@pytest.mark.parametrize('value', [3, 254, -1])
def test_colorise_refuses_foreign_values(value):
    with pytest.raises(ValueError, match=rf'also holds \[{value}\]'):
        colorize(np.array([[0, value]]), PALETTE)


def test_overlay_shapes_labeled_pixels_only():
    image = np.full((5, 5, 3), 100, np.uint8)
    weak = np.full((5, 5), 2, np.uint8)
    weak[0, 0], weak[2, 3], weak[4, 4] = 255, 1, 0
    got = overlay_weak_labels(image, weak, PALETTE, fade=0.5)
    assert got[2, 3].tolist() == [200, 0, 0]
    assert got[4, 4].tolist() == [10, 20, 30]
    faded = np.ones((5, 5), bool)
    faded[2, 3] = faded[4, 4] = False
    assert (got[faded] == 178).all()  # halfway from 100 to 255
    assert (image == 100).all()
    np.testing.assert_array_equal(
        overlay_weak_labels(image, np.full((5, 5), 2), PALETTE, fade=0), image
    )


def test_overlay_grows_shapes_but_never_over_another_shape():
    image = np.zeros((5, 9, 3), np.uint8)
    weak = np.full((5, 9), 2, np.uint8)
    weak[2, 3], weak[2, 4] = 1, 0
    got = overlay_weak_labels(image, weak, PALETTE, fade=0, grow=1)
    assert got[2, 3].tolist() == [200, 0, 0]
    assert got[2, 4].tolist() == [10, 20, 30]
    assert got[1, 2].tolist() == [200, 0, 0]
    assert got[3, 5].tolist() == [10, 20, 30]
    assert (got.any(axis=2).sum(axis=0) == [0, 0, 3, 3, 3, 3, 0, 0, 0]).all()


def test_outlines_by_hand():
    image = np.zeros((3, 4, 3), np.uint8)
    segments = np.array([[5, 5, 7, 7], [5, 5, 7, 7], [5, 5, 5, 5]])
    border = draw_segment_outlines(image, segments, (1, 1, 1))[..., 0]
    assert border.tolist() == [[0, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]]
    assert not image.any()
    assert not draw_segment_outlines(image, segments * 0).any()


def test_sizes_must_agree():
    image = np.zeros((3, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=r'\(3, 4\).*weak label map \(4, 3\)'):
        overlay_weak_labels(image, np.zeros((4, 3), int), PALETTE)
    with pytest.raises(ValueError, match=r'segment map \(4, 3\)'):
        draw_segment_outlines(image, np.zeros((4, 3), int))


def test_embedding_components_follow_the_variance():
    rng = np.random.default_rng(0)
    scale = np.array([0.1, 5.0, 0.1, 1.0, 0.2])
    embedding = scale[:, None, None] * rng.standard_normal((5, 40, 50)) + 3
    rgb, components = embedding_to_rgb(embedding)
    assert rgb.shape == (40, 50, 3)
    assert rgb.dtype == np.uint8
    assert components.axes[1, 0] > 0.99  # red is the axis of the largest variance
    assert components.axes[3, 1] > 0.99
    assert components.axes[4, 2] > 0.9
    np.testing.assert_allclose(components.mean, embedding.mean(axis=(1, 2)))
    # The lowest and the highest 2 % of the values are clipped.
    assert (rgb[..., 0] == 0).mean() == pytest.approx(0.02, abs=0.003)
    assert (rgb[..., 0] == 255).mean() == pytest.approx(0.02, abs=0.003)
    order = np.argsort(embedding[1].ravel())
    red = rgb[..., 0].ravel()[order].astype(int)
    assert np.diff(red).min() > -25  # monotone except for traces of the other axes


def test_embedding_components_are_reused():
    rng = np.random.default_rng(1)
    embedding = rng.standard_normal((4, 10, 12))
    rgb, components = embedding_to_rgb(embedding)
    part, same = embedding_to_rgb(embedding[:, 2:5, 3:9], components)
    np.testing.assert_array_equal(part, rgb[2:5, 3:9])
    assert same is components
    assert (embedding_to_rgb(embedding[:, 2:5, 3:9])[0] != part).any()
    np.testing.assert_array_equal(embedding_to_rgb(embedding)[0], rgb)


def test_embedding_edge_cases():
    flat, _ = embedding_to_rgb(np.ones((6, 3, 3)))
    assert (flat == 128).all()
    few, _ = embedding_to_rgb(np.random.default_rng(0).standard_normal((2, 5, 5)))
    assert (few[..., 2] == 128).all()
    assert np.ptp(few[..., 0]) == 255
    with pytest.raises(ValueError, match='finite'):
        embedding_to_rgb(np.full((3, 2, 2), np.nan))
    with pytest.raises(ValueError, match=r'\(4, 4\)'):
        embedding_to_rgb(np.ones((4, 4)))
    _, components = embedding_to_rgb(np.ones((6, 3, 3)))
    with pytest.raises(ValueError, match='D = 6'):
        embedding_to_rgb(np.ones((5, 3, 3)), components)


def solid(height, width, color):
    return np.full((height, width, 3), color, np.uint8)


def test_grid_places_scaled_pictures():
    red, blue, green = (200, 0, 0), (0, 0, 200), (0, 200, 0)
    rows = [
        [('a', solid(10, 20, red)), ('b', solid(40, 40, blue))],
        [('', solid(10, 10, green))],
    ]
    grid = image_grid(rows, height=20, gap=5)
    # The widths are max(40, 20) and 20, the heights 20 + 20 with a title and then 20.
    assert grid.shape == (5 + 40 + 5 + 20 + 5, 5 + 40 + 5 + 20 + 5, 3)
    assert (grid[25:45, 5:45] == red).all()
    assert (grid[25:45, 50:70] == blue).all()
    assert (grid[50:70, 5:25] == green).all()
    assert (grid[50:70, 25:] == 255).all()
    assert (grid[5:25, 5:25] < 255).any()  # the title
    assert (grid[:5] == 255).all()


def test_long_titles_stay_above_their_picture():
    picture = solid(10, 30, (0, 0, 0))
    grid = image_grid([[('a very long title indeed', picture), ('', picture)]],
                      height=10, gap=4)  # fmt: skip
    assert (grid[:24, :34] < 255).any()
    assert (grid[:24, 38:] == 255).all()


def test_grid_needs_pictures():
    for rows in ([], [[]], [[('a', solid(2, 2, 0))], []]):
        with pytest.raises(ValueError, match='at least one picture'):
            image_grid(rows)


def test_legend_shows_every_color_and_wraps():
    classes = [f'class {number}' for number in range(8)]
    palette = [(number * 30, 7, 99) for number in range(8)]
    wide, narrow = (
        class_legend(classes, palette, 2000),
        class_legend(classes, palette, 150),
    )
    assert narrow.shape[1] == 150
    assert narrow.shape[0] > 3 * wide.shape[0]
    for legend in (wide, narrow):
        for color in palette:
            assert (legend == color).all(axis=2).sum() == 144  # 12 x 12
    grid = image_grid([[('', solid(9, 90, 0))]], height=9, legend=(classes, palette))
    assert (grid == palette[3]).all(axis=2).sum() == 144
    with pytest.raises(ValueError, match='8 class names but 7 colors'):
        class_legend(classes, palette[1:], 200)


def test_pictures_survive_a_png(tmp_path):
    grid = image_grid([[('x', solid(9, 9, (1, 2, 3)))]])
    cv2.imwrite(str(tmp_path / 'x.png'), grid[..., ::-1])
    back = cv2.imread(str(tmp_path / 'x.png'))[..., ::-1]
    np.testing.assert_array_equal(back, grid)
