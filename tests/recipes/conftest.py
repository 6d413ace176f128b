"""Fixtures of the tests of recipes."""

import textwrap

import pytest
from recipes.small_recipe import RECIPE, TOOL


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').mkdir()
    for name in ('train.py', 'copy.py'):
        (tmp_path / 'tools' / name).write_text(textwrap.dedent(TOOL))
    (tmp_path / 'input').write_text('a')
    (tmp_path / 'recipe.py').write_text(RECIPE)
    return tmp_path
