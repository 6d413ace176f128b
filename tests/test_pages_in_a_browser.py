"""Names in the pages that commands write are text, as a real browser shows them."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest
from cli.commands import run_command

from mmseg_spml.annotations.formats import write_annotations
from mmseg_spml.annotations.model import Point, WeakAnnotation
from mmseg_spml.inference.suggestion import Click, Suggestion
from mmseg_spml.inference.suggestion_page import suggestion_page
from mmseg_spml.visualization.annotations import annotation_page
from mmseg_spml.visualization.neighbors import Neighbor, neighbors_page

BROWSER = next(filter(None, map(shutil.which, ('chromium', 'google-chrome'))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason='needs Chromium')
RUN = 'document.title=`ran`'
EVIL = f'"\'><img src=x onerror="{RUN}"><script>{RUN}</script>'
# A file can have no slash in its name.
IMAGE = EVIL.replace('</script>', '') + '.png'
CLASSES = ('background', EVIL)
PALETTE = ((0, 0, 0), (200, 0, 0))
PICTURE = np.full((20, 30, 3), 90, np.uint8)


def annotation():
    points = [Point(EVIL, 3.0, 4.0), Point('background', 20.0, 10.0)]
    return WeakAnnotation(IMAGE, 20, 30, points=points, tags={EVIL})


def annotations(tmp_path):
    return annotation_page([(annotation(), PICTURE)], CLASSES, PALETTE, title=EVIL)


def suggestions(tmp_path):
    one = Suggestion(IMAGE, (20, 30), 0.5, (Click(3.0, 4.0, 1, 0.9),))
    return suggestion_page([one], lambda name: PICTURE, CLASSES, PALETTE)


def neighbors(tmp_path):
    one = Neighbor(IMAGE, PICTURE, np.ones((20, 30), bool), 1, 0.5)
    return neighbors_page(one, [one], CLASSES, PALETTE)


def project(tmp_path):
    images = tmp_path / 'images'
    images.mkdir()
    cv2.imwrite(str(images / IMAGE), PICTURE)
    labels = tmp_path / 'labels.jsonl'
    write_annotations([annotation()], str(labels), 'jsonl')
    run_command('init', labels, tmp_path / 'mine', '--images', images)
    return (tmp_path / 'mine' / 'report.html').read_text()


def shown(path):
    """The document after its scripts have run."""
    command = [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
    command += ['--virtual-time-budget=2000', path.as_uri()]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120
    ).stdout


@pytest.mark.parametrize('page', [annotations, suggestions, neighbors, project])
def test_names_run_nothing(page, tmp_path):
    path = tmp_path / 'page.html'
    path.write_text(page(tmp_path))
    document = shown(path)
    assert '<title>' in document and '<title>ran</title>' not in document
    assert '<img src="x"' not in document
    assert 'onerror' in document  # as text


def test_a_page_without_escaping_would_be_found(tmp_path):
    path = tmp_path / 'page.html'
    path.write_text(f'<title>x</title><p>{EVIL}</p>')
    assert '<title>ran</title>' in shown(path)
