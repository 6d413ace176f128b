"""Sentences about parts of a config that cannot be built."""

import re

import pytest
from mmengine.optim import build_optim_wrapper
from mmengine.registry import Registry
from torch import nn

from mmseg_spml.engine.config_errors import config_problem
from mmseg_spml.engine.shipped_files import read_config_file

PARENT = Registry('layer', scope='parent')
LAYERS = Registry('layer', scope='child', parent=PARENT)


@PARENT.register_module()
class Base:
    def __init__(self, width, height=1):
        self.size = width, height


@LAYERS.register_module()
class Wide(Base):
    def __init__(self, depth=1, **options):
        super().__init__(**options)


@LAYERS.register_module()
class Faulty:
    def __init__(self, **options):
        Base(unknown=1)


@LAYERS.register_module()
def by_function(scale):
    return {}[scale]


def problem_of(cfg, registry=LAYERS):
    with pytest.raises((KeyError, TypeError)) as caught:
        registry.build(cfg)
    return config_problem(caught.value)


@pytest.mark.parametrize(
    'cfg, problem',
    [
        (dict(type='Wid', width=1), "the type 'Wid'.* layer. Did you mean Wide"),
        (dict(type='Bas', width=1), 'Did you mean Base'),
        (dict(type='Unlike'), "the type 'Unlike'.*custom_imports"),
        (
            dict(type='Wide', width=1, color=2),
            "gives Wide the option 'color'.*its options are depth, height, width",
        ),
        (dict(type='Wide', width=1, heigt=2), "'heigt'.*did you mean 'height'"),
        (dict(type='by_function', size=1), "'size'.*its options are scale"),
        (dict(type=Base), "does not give Base what it needs: 'width'"),
    ],
)
def test_sentences(cfg, problem):
    assert re.search(problem, problem_of(cfg))


def test_missing_packages(monkeypatch):
    assert 'Is mmdet installed?' in problem_of(dict(type='mmdet.Unlike'))

    def needs_another(self, **options):
        raise ModuleNotFoundError("No module named 'vision'", name='vision')

    monkeypatch.setattr(Wide, '__init__', needs_another)
    with pytest.raises(ModuleNotFoundError) as caught:
        LAYERS.build(dict(type='Wide'))
    problem = config_problem(caught.value)
    assert problem == (
        "the config has the type 'Wide', which needs the module 'vision': install it"
    )


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='Faulty'),
        dict(type='by_function', scale=1),  # a KeyError of the function itself
        dict(type='Wide'),  # which of the classes lacks it is not for us to guess
    ],
)
def test_faults_of_the_code_are_none_of_the_config(cfg):
    assert problem_of(cfg) is None


def test_errors_outside_of_building():
    assert config_problem(KeyError('Wid is not in the registry')) is None


def test_unknown_optimizers():
    cfg = dict(
        type='OptimWrapper',
        optimizer=dict(type='AdmW', lr=0.1),
        constructor='DefaultOptimWrapperConstructor',
    )
    with pytest.raises(TypeError) as caught:
        build_optim_wrapper(nn.Linear(1, 1), cfg)
    problem = config_problem(caught.value)
    assert problem.startswith("the config has the type 'AdmW'")
    assert 'Did you mean AdamW' in problem


@pytest.mark.parametrize('line', ['a = {}["b"]', 'a = unknown', "_base_ = './none.py'"])
def test_a_config_that_fails(line, tmp_path):
    """A config is a program; what it raises must name the config."""
    path = tmp_path / 'mine.py'
    path.write_text(line)
    error, wanted = ValueError, 'mine.py, or a config in its _base_, fails: '
    if '_base_' in line:
        error, wanted = FileNotFoundError, 'none.py'
    with pytest.raises(error, match=wanted):
        read_config_file(path)
