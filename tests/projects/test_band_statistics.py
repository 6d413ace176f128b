"""Statistics of the bands of a project's images, against NumPy's."""

import cv2
import numpy as np
import pytest
from cli.commands import run_command
from integration import tiny
from mmengine.config import Config
from mmseg.registry import DATASETS
from projects import made_up

from mmseg_spml.projects.band_statistics import add_band_statistics
from mmseg_spml.projects.plan import Plan
from mmseg_spml.projects.survey import take_survey


def survey_of(tmp_path, arrays):
    """A survey of images that are these arrays."""
    source, images = made_up.make_data(tmp_path, len(arrays))
    for name, array in zip(sorted(images.iterdir()), arrays):
        name.unlink()
        if array is None:
            name.with_suffix('.npy').write_text('damaged')
        else:
            np.save(name.with_suffix('.npy'), array)
    source.write_text(source.read_text().replace('.jpg', '.npy'))
    return source, images


def arrays(number, bands=4):
    generator = np.random.default_rng(0)
    shape = made_up.SIDE, made_up.SIDE, bands
    return [generator.normal(5, 2, shape).astype(np.float32) for _ in range(number)]


def test_gaps_damaged_files_and_files_of_fewer_bands(tmp_path):
    first, gaps, third, few = arrays(4)
    gaps[:8, :, 1] = np.nan
    gaps[3, 3, 2] = np.inf
    source, images = survey_of(tmp_path, [first, gaps, third, few[..., :2]])
    plan = Plan(bands=4)
    survey = take_survey(source, images)
    (images / '02.npy').write_text('damaged')
    add_band_statistics(plan, survey)
    values = np.concatenate([first, gaps]).reshape(-1, 4)
    values[~np.isfinite(values)] = np.nan
    assert plan.mean == pytest.approx(np.nanmean(values, 0), abs=1e-3)
    assert plan.std == pytest.approx(np.nanstd(values, 0), abs=1e-3)
    assert plan.has_gaps and 'become the mean of their band' in plan.warnings[0]


def test_photographs_need_no_statistics(tmp_path):
    plan = Plan()
    add_band_statistics(plan, take_survey(*made_up.make_data(tmp_path)))
    assert not plan.mean and not plan.warnings


def test_no_image_has_a_value(tmp_path):
    empty = np.full((made_up.SIDE, made_up.SIDE, 4), np.nan, np.float32)
    survey = take_survey(*survey_of(tmp_path, [empty, empty]))
    with pytest.raises(ValueError, match='finite values in 4 bands'):
        add_band_statistics(Plan(bands=4), survey)


def test_training_reads_images_with_gaps(tmp_path):
    found = arrays(4)
    found[0][:, :40] = np.nan
    source, images = survey_of(tmp_path, found)
    run_command('init', source, '--images', images, tmp_path / 'mine')
    tiny.registered()
    cfg = Config.fromfile(tmp_path / 'mine' / 'config.py')
    assert cfg.train_pipeline[0].fill == cfg.model.data_preprocessor.mean
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert all(dataset[index]['inputs'].isfinite().all() for index in range(4))


def test_alpha_of_sixteen_bits_is_no_band(tmp_path):
    source, images = made_up.make_data(tmp_path, 2, suffix='.png')
    for path in images.iterdir():
        image = cv2.imread(str(path)).astype(np.uint16) * 200
        cv2.imwrite(str(path), np.dstack([image, image[..., 0]]))
    run_command('init', source, '--images', images, tmp_path / 'mine')
    tiny.registered()
    cfg = Config.fromfile(tmp_path / 'mine' / 'config.py')
    assert len(cfg.model.data_preprocessor.mean) == cfg.model.backbone.in_channels == 3
    sample = DATASETS.build(cfg.train_dataloader.dataset)[0]
    assert sample['inputs'].shape[0] == 3
