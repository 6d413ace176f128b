"""What `import mmseg_spml` says where MMSegmentation is missing or unfit."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mmseg_spml.dependencies import MINIMUM_VERSIONS

ROOT = Path(__file__).parents[1]

# A finder before all others that hides modules as if they were not installed.
BLOCK = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if any(name == hidden or name.startswith(hidden + '.') for hidden in HIDDEN):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

HIDDEN = %r
sys.meta_path.insert(0, Hide())
"""

# Importing MMSegmentation takes seconds: its parts are stood in for by empty modules.
STUBS = """
import sys, types

def stub(name, version=None):
    module = types.ModuleType(name)
    module.__path__ = []
    if version:
        module.__version__ = version
    sys.modules[name] = module
    return module

"""


def import_error(*preparation):
    """The last line that `import mmseg_spml` prints after some preparation."""
    script = '\n'.join([*map(textwrap.dedent, preparation), 'import mmseg_spml'])
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    kind, message = last.split(': ', 1)
    assert kind == 'ImportError'
    assert message.endswith('.') and '. ' not in message, 'one sentence'
    return message


@pytest.mark.parametrize('hidden', ['mmseg', 'mmcv'])
def test_missing_package(hidden):
    """A config is being read, so MMEngine is there and in use."""
    # The packages before it in the order of the check are stubs.
    before = {'mmcv': ['mmengine'], 'mmseg': ['mmengine', 'mmcv']}
    stubs = '\n'.join(f"stub({name!r}, '99.0')" for name in before[hidden])
    message = import_error(STUBS + stubs, BLOCK % ([hidden],))
    assert f"the module '{hidden}' is not installed" in message
    assert 'pip install onedl-mmengine onedl-mmcv onedl-mmsegmentation' in message
    assert 'pip install mmengine==' in message


@pytest.mark.parametrize('hidden', [['mmengine'], ['mmseg'], ['mmcv.cnn']])
def test_unfit_packages_that_nobody_uses_are_only_warned_of(hidden):
    """The losses work, and the sentence is there for whoever wants the rest."""
    script = BLOCK % (hidden,) + textwrap.dedent("""
        from mmseg_spml.functional import semantic_annotation_loss
        import mmseg_spml.annotations
        print('mmseg_spml.models' in sys.modules)
    """)
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith('False\n')
    warning = 'only mmseg_spml.functional and mmseg_spml.annotations can be used: '
    assert f'{warning}mmseg_spml needs MMSegmentation, but' in done.stderr
    assert hidden[0] in done.stderr


@pytest.mark.parametrize('hidden', ['mmcv.ops', 'mmcv._ext'])
def test_mmcv_lite(hidden):
    """What mmseg imports from mmcv.ops is missing in one way or another."""
    stubs = """
        stub('mmengine', '99.0'), stub('mmcv', '99.0'), stub('mmseg', '99.0')

        class Models:
            def find_spec(self, name, path=None, target=None):
                if name == 'mmseg.models':
                    import %s

        sys.meta_path.insert(0, Models())
    """
    message = import_error(STUBS, textwrap.dedent(stubs % hidden), BLOCK % ([hidden],))
    assert 'not mmcv-lite' in message
    assert 'pip uninstall mmcv-lite' in message


def test_broken_installation():
    """Something else is missing: the sentence says what."""
    message = import_error('import mmengine', BLOCK % (['mmcv.cnn'],))
    assert 'mmcv.cnn' in message


@pytest.mark.parametrize('name', list(MINIMUM_VERSIONS))
def test_too_old(name):
    versions = dict.fromkeys(MINIMUM_VERSIONS, '99.0')
    versions[name] = '0.1.2rc1'
    stubs = '\n'.join(f'stub({n!r}, {v!r})' for n, v in versions.items())
    message = import_error(STUBS + stubs)
    assert f'needs {name} >= {MINIMUM_VERSIONS[name]}' in message
    assert '0.1.2rc1' in message


def test_versions_that_do_not_fit_together():
    """The original mmseg checks by `assert`: here, a stand-in for it."""
    stubs = """
        stub('mmengine', '99.0'), stub('mmcv', '99.0')

        class Unfit:
            def find_spec(self, name, path=None, target=None):
                if name == 'mmseg':
                    raise AssertionError('MMCV==2.2.0 is used but incompatible')

        sys.meta_path.insert(0, Unfit())
    """
    message = import_error(STUBS, stubs)
    assert 'MMCV==2.2.0 is used but incompatible' in message


def test_import_registers_everything():
    script = """
    import mmseg_spml
    from mmseg.registry import DATASETS, MODELS, OPTIM_WRAPPERS, TRANSFORMS
    for registry, name in [
        (MODELS, 'SPMLSegmentor'),
        (MODELS, 'SPMLHead'),
        (MODELS, 'SegmentPoolingNeck'),
        (MODELS, 'SPMLDataPreProcessor'),
        (DATASETS, 'VOCWeakDataset'),
        (DATASETS, 'DensePosePointDataset'),
        (TRANSFORMS, 'PackWeakSegInputs'),
        (OPTIM_WRAPPERS, 'CPUAmpOptimWrapper'),
    ]:
        assert registry.get(name) is not None, name
    """
    done = subprocess.run(
        [
            sys.executable,
            '-W',
            'error::UserWarning:mmcv',
            '-c',
            textwrap.dedent(script),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
