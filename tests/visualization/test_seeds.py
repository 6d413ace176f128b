"""Tests of the pictures of seeds."""

import numpy as np

from mmseg_spml.datasets.seed_files import SeedMaker
from mmseg_spml.functional.seeds.cam_files import save_cam
from mmseg_spml.io.images import write_image
from mmseg_spml.io.index_maps import write_index_map
from mmseg_spml.visualization.seeds import draw_map, draw_seeds


def test_heat_grows_with_the_map():
    image = np.full((2, 3, 3), 100, np.uint8)
    cam = np.array([[0, 0.5, 1], [0, 0, 0]])
    drawn = draw_map(image, cam)
    assert drawn.shape == image.shape
    blue, red = drawn[0, 0], drawn[0, 2]
    assert blue[2] > blue[0]
    assert red[0] > red[2]


def test_a_row_has_the_image_its_maps_its_seeds_and_its_truth(tmp_path):
    palette = [(0, 0, 0), (255, 0, 0), (0, 0, 255)]
    image = np.full((20, 20, 3), 100, np.uint8)
    write_image(tmp_path / 'a.png', image)
    (tmp_path / 'cams').mkdir()
    cam = np.zeros((20, 20))
    cam[:, :10] = 1
    save_cam(tmp_path / 'cams' / 'a.npz', {2: cam})
    write_index_map(str(tmp_path / 'truth' / 'a.png'), np.full((20, 20), 2))
    sample = dict(img_path=str(tmp_path / 'a.png'))
    maker = SeedMaker(3, cams=str(tmp_path / 'cams'))
    names = ('background', 'cat', 'dog')
    without = draw_seeds([sample], maker, names, palette)
    picture = draw_seeds([sample], maker, names, palette, str(tmp_path / 'truth'))
    assert picture.shape[1] > without.shape[1]
    # The left half of the seeds and all of the truth, each enlarged to 192 x 192.
    blue = (picture == (0, 0, 255)).all(-1).sum()
    assert blue >= 1.5 * 192 * 192
