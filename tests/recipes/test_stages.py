"""Tests of recipes that are read from config files."""

from pathlib import Path

import pytest
from recipes.small_recipe import RECIPE, calls, run

from mmseg_spml.cli.main import main
from mmseg_spml.engine.shipped_files import is_config
from mmseg_spml.recipes import read_recipe, run_recipe


@pytest.mark.parametrize(
    'text, what',
    [
        ('stages = []', 'no `stages`'),
        ("stages = [dict(name='a')]", 'expected `name`, `command`'),
        (
            "stages = [dict(name='a', command='t.t', arg=1)]",
            'expected `name`, `command`',
        ),
        ("stages = [dict(name='a b', command='t.t')]", 'cannot be a name'),
        ("stages = [dict(name='out', command='t.t')]", 'cannot be a name'),
        ("stages = [dict(name='report', command='t.t')]", 'cannot be a name'),
        (
            "stages = [dict(name='a', command='t.t')]\ntests = [dict(model='a')]",
            'in each of',
        ),
        ("stages = [dict(name='a', command='t.t')] * 2", 'another'),
        ("stages = [dict(name='a', command='t.t', args=['{b}'])]", r"mentions \['b'\]"),
    ],
)
def test_malformed_recipes(folder, text, what):
    (folder / 'recipe.py').write_text(text)
    with pytest.raises(ValueError, match=what):
        read_recipe(folder / 'recipe.py')


def test_variables(folder):
    text = RECIPE.replace('second', '{kind}') + "variables = dict(kind='scribbles')\n"
    run(folder, text)
    assert 'scribbles None' in calls(folder)
    recipe = read_recipe('recipe.py', 'work', dict(kind='points'))
    run_recipe(recipe)
    assert 'points None' in calls(folder)
    with pytest.raises(ValueError, match=r"variables \['kind'\], not \['sort'\]"):
        read_recipe('recipe.py', 'work', dict(sort='points'))


def test_models_are_tested(folder):
    text = RECIPE + "tests = [dict(model='one', config='c.py', title='the one')]\n"
    (folder / 'recipe.py').write_text(text)
    recipe = read_recipe(folder / 'recipe.py')
    names = [stage.name for stage in recipe.stages]
    assert names[3:] == ['one_test', 'one_crf', 'one_scales', 'one_scales_crf']
    last = recipe.stages[-1]
    assert last.command == 'test' and last.needs == ('one',)
    assert {'--tta', '--crf', '--report'} <= set(last.args)
    assert last.title == 'the one, several scales, CRF'


RECIPES = sorted(
    path
    for folder in ('configs', 'experiments/configs')
    for path in (Path(__file__).parents[2] / folder / 'recipes').glob('*.py')
)


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_recipes_of_the_repository(path, tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    recipe = read_recipe(path)
    for stage in recipe.stages:
        makes_data = stage.command == 'experiments.demo.make_data'
        assert makes_data or stage.command in main.list_commands(None)
        configs = [argument for argument in stage.args if argument.endswith('.py')]
        assert len(configs) == (not makes_data)
        monkeypatch.chdir(root)
        assert all(map(is_config, configs))
        # Recipes of the package run in any folder.
        monkeypatch.chdir(tmp_path)
        assert root / 'configs' not in path.parents or all(map(is_config, configs))
