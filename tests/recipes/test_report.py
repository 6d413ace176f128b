"""Tests of the report on a recipe."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
from recipes.small_recipe import run

from mmseg_spml.evaluation.label_report import write_label_report
from mmseg_spml.recipes import write_report
from mmseg_spml.recipes.report import StageScores, scores_of


def test_report(folder):
    recipe = run(folder)
    log = recipe.folder('two') / 'logs' / '20260101.json'
    log.parent.mkdir()
    lines = [dict(loss=1.0), dict(mIoU=60.0, **{'IoU/cat': 50.0}), dict(step=3)]
    log.write_text('\n'.join(map(json.dumps, lines)))
    confusion = np.array([[7, 3, 0], [0, 0, 0]])
    write_label_report(
        recipe.folder('one') / 'logs' / 'report.json',
        {'a.jpg': confusion},
        ('dog', 'cat'),
        'training',
        mIoU_before_crf=22.25,
    )
    (recipe.folder('three') / 'picture.png').write_bytes(b'')
    (recipe.folder('two') / 'run.py').write_text('')
    page = write_report(recipe)
    text = (recipe.work_dir / 'report.md').read_text()
    assert '| one, before the CRF | 22.2 | training |' in text
    assert '| one | 35.0 | training |' in text
    assert '| two | 60.0 | held out |' in text
    assert '| three |  |  |' in text
    assert '| IoU | dog | cat |' in text
    assert '| one | 70.0 | 0.0 |' in text
    assert '| two | – | 50.0 |' in text
    assert '![three](three/picture.png)' in text
    assert '![one](report/one_confusion.png)' in text
    assert (recipe.work_dir / 'report' / 'one_confusion.png').is_file()
    assert 'config of two: [two/run.py](two/run.py)' in text
    assert 'python -m stages.copy second' in text
    assert sys.executable not in text
    assert page == recipe.work_dir / 'report.html'
    html = page.read_text()
    assert '<td>35.0</td>' in html and 'src="three/picture.png"' in html
    assert scores_of(folder / 'tools') == StageScores()


def test_names_stay_names(folder):
    """A class or stage named like a mark of HTML or Markdown is shown as it is."""
    recipe = run(folder)
    evil = '<script>document.title="ran"</script>'
    stages = [replace(recipe.stages[0], title=evil), *recipe.stages[1:]]
    recipe = replace(recipe, stages=tuple(stages))
    confusion = np.zeros((3, 4), np.int64)
    confusion[:, 0] = 5
    write_label_report(
        recipe.folder('one') / 'report.json',
        {'a.jpg': confusion},
        ('cat|dog', '_background_', evil),
        'training',
    )
    html = write_report(recipe).read_text()
    assert '<script' not in html and '&lt;script&gt;document' in html
    head = re.search('<th>IoU</th>(.*?)</tr>', html, re.S).group(1)
    names = re.findall('<th>(.*?)</th>', head)
    assert names[:2] == ['cat|dog', '_background_'] and len(names) == 3
