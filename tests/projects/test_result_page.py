"""The page of a trained project, and the sentence on its score."""

import json

import pytest

from mmseg_spml.io.run_folders import RUN
from mmseg_spml.projects.result_page import held_out_score, write_result_page

CONFIG = "classes = ('background', 'cat')\n"
OF_LABELS = CONFIG + 'val_pipeline = []\n'


def trained(folder, config, scores=()):
    """A project with one log for each start of its training."""
    run = folder / RUN
    (folder / 'config.py').write_text(config)
    for number, score in enumerate(scores):
        logs = run / f'2026{number}' / 'vis_data'
        logs.mkdir(parents=True)
        lines = [dict(loss=1.5, step=10), dict(mIoU=score, step=10 * (number + 1))]
        lines[1]['IoU/cat'] = score + 1
        (logs / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    run.mkdir(exist_ok=True)
    (run / 'last_checkpoint').write_text(str(run / 'iter_10.pth'))
    (run / 'iter_10.pth').touch()
    return folder


@pytest.mark.parametrize(
    'config, where',
    [(CONFIG, 'on the full masks'), (OF_LABELS, 'on the labeled pixels')],
)
def test_the_last_score_and_where_it_was_measured(tmp_path, config, where):
    folder = trained(tmp_path, config, [40, 51.26])
    assert held_out_score(folder).startswith(f'mIoU 51.3 %, {where} of the held-out')
    write_result_page(folder, folder / 'result.html')
    page = (folder / 'result.html').read_text()
    assert held_out_score(folder) in page
    assert '<td>cat</td><td>52.3</td>' in page
    assert '<td>background</td><td>no label</td>' in page


def test_without_held_out_images(tmp_path):
    folder = trained(tmp_path, CONFIG)
    assert held_out_score(folder) is None
    write_result_page(folder, folder / 'result.html')
    assert 'nothing was measured' in (folder / 'result.html').read_text()
