"""Fixtures of the tests of recipes."""

import textwrap

import pytest
from recipes.small_recipe import RECIPE, TOOL

from mmseg_spml.recipes import execution


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'stages').mkdir()
    for name in ('train', 'copy'):
        (tmp_path / 'stages' / f'{name}.py').write_text(textwrap.dedent(TOOL))
    monkeypatch.setattr(execution, '_RESUMABLE', ('stages.train',))
    (tmp_path / 'input').write_text('a')
    (tmp_path / 'recipe.py').write_text(RECIPE)
    return tmp_path
