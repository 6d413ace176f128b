"""Predicted label maps, by the names of their images."""

import numpy as np
import torch

from mmseg_spml.evaluation import LabelMapWriter
from mmseg_spml.io.index_maps import read_index_map


def prediction(label, **meta):
    return dict(pred_sem_seg=dict(data=torch.full((1, 2, 3), label)), **meta)


def test_images_of_one_name_have_maps_of_their_own(tmp_path):
    writer = LabelMapWriter(str(tmp_path))
    samples = [
        prediction(1, img_path='i/x/a.jpg', map_name='x/a'),
        prediction(2, img_path='i/y/a.jpg', map_name='y/a'),
        # The next data set counts its classes from 1.
        prediction(0, img_path='i/b.jpg', reduce_zero_label=True),
    ]
    writer.process({}, samples)
    assert writer.evaluate(3) == {'label_maps/files': 3}
    for name, label in (('x/a', 1), ('y/a', 2), ('b', 1)):
        labels = read_index_map(tmp_path / f'{name}.png')
        np.testing.assert_array_equal(labels, np.full((2, 3), label))


def test_names_of_samples_that_do_not_keep_them(tmp_path):
    writer = LabelMapWriter(str(tmp_path))
    writer.names = {'i/x/a.jpg': 'x/a'}
    writer.process({}, [prediction(1, img_path='i/x/a.jpg')])
    assert (tmp_path / 'x' / 'a.png').is_file()
