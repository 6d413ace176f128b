"""Says in one sentence what to install when MMSegmentation cannot be used."""

import importlib
import importlib.util
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from packaging.version import Version

ONEDL = 'pip install onedl-mmengine onedl-mmcv onedl-mmsegmentation'
ORIGINAL = 'pip install mmengine==0.10.7 mmcv==2.1.0 mmsegmentation==1.2.2'

# Import name -> oldest release that the package was written for.
MINIMUM_VERSIONS = {'mmengine': '0.10.0', 'mmcv': '2.1.0', 'mmseg': '1.2.0'}

# The modules that `import mmseg_spml` needs, in the order in which they fail
# most tellingly: mmseg.models is the first to need the operators of mmcv.
_NEEDED = ('mmengine', 'mmcv', 'mmseg', 'mmseg.models', 'mmseg.datasets')


def openmmlab_is_usable() -> bool:
    """Import MMSegmentation if it is there, and say what is missing where it matters.

    The parts without OpenMMLab (``mmseg_spml.functional``, ``mmseg_spml.annotations``)
    must be importable where it is missing or unfit. A config, however, needs all of
    it: if MMEngine has been imported already, an unfit installation is an error.

    Returns:
        Whether the package's modules can be registered. False without a word if no
        package of OpenMMLab is installed, with a warning if one is, but unfit.

    Raises:
        ImportError: MMEngine is in use, but the installation is unfit; the message is
            one sentence.
    """
    in_use = sys.modules.get('mmengine') is not None
    if not in_use and not any(map(_is_installed, MINIMUM_VERSIONS)):
        return False
    try:
        check_dependencies()
    except ImportError as error:
        if in_use:
            raise
        warnings.warn(
            f'only mmseg_spml.functional and mmseg_spml.annotations can be used: '
            f'{error}',
            stacklevel=3,
        )
        return False
    return True


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_dependencies() -> None:
    """Import MMSegmentation, or say what to install.

    ``mmcv-lite`` is told from a full mmcv by what matters, that
    ``mmseg.models`` cannot be imported with it: the distribution's name does not
    decide (``onedl-mmcv`` has no compiled operators either, and works).

    Raises:
        ImportError: A package is missing, lacks its operators or is too old; the
            message is one sentence.
    """
    for name in _NEEDED:
        try:
            with quiet_imports():
                module = importlib.import_module(name)
        except ImportError as error:
            raise ImportError(_advice(name, error)) from error
        except AssertionError as error:
            # mmseg checks by `assert` that mmcv and mmengine fit together.
            raise ImportError(
                f'mmseg_spml cannot use the installed MMSegmentation ({error}), '
                f'please install versions that fit together with `{ONEDL}`.'
            ) from error
        minimum = MINIMUM_VERSIONS.get(name)
        if minimum is not None:
            _check_version(name, module.__version__, minimum)


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Keep messages of MMSegmentation's imports back that say nothing to a user."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()) as printed:
        # onedl-mmcv advises against mmcv-lite, which it is not.
        warnings.filterwarnings('ignore', message='Fail to import')
        yield
    for line in printed.getvalue().splitlines():
        if line != 'Could not import OneDL':  # the name of an optional data format
            print(line)


def _advice(name: str, error: ImportError) -> str:
    missing = error.name or ''
    if missing.startswith(('mmcv.ops', 'mmcv._ext')):
        return (
            'mmseg_spml needs the full mmcv, not mmcv-lite or an mmcv built without '
            'its operators: run `pip uninstall mmcv-lite` and then '
            f'`{ONEDL}` or `{ORIGINAL}`.'
        )
    if missing in ('mmengine', 'mmcv', 'mmseg'):
        return (
            f'mmseg_spml needs MMSegmentation, but the module {missing!r} is not '
            f'installed: run `{ONEDL}` (maintained) or `{ORIGINAL}`.'
        )
    return (
        f'mmseg_spml needs MMSegmentation, but importing {name!r} failed '
        f'({error}): repair the installation, for instance by `{ONEDL}`.'
    )


def _check_version(name: str, installed: str, minimum: str) -> None:
    # release leaves out what follows the numbers, as in 2.1.0rc1
    if Version(installed).release < Version(minimum).release:
        raise ImportError(
            f'mmseg_spml needs {name} >= {minimum}, but version {installed} is '
            f'installed: run `{ONEDL}` or `{ORIGINAL}`.'
        )
