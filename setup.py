"""The part of the packaging that pyproject.toml cannot say: configs and tools.

They are shipped as OpenMMLab's packages ship theirs, in ``mmseg_spml/.mim``, where
MIM and MMEngine's ``_base_ = 'mmseg_spml::...'`` look for them.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ('configs', 'tools', 'model-index.yml')


class BuildWithConfigs(build_py):
    """Adds configs and tools to the package: copies, or links in a clone."""

    def run(self) -> None:
        """Build the package, then add the files."""
        super().run()
        package = ROOT if self.editable_mode else Path(self.build_lib)
        folder = package / 'mmseg_spml' / '.mim'
        folder.mkdir(parents=True, exist_ok=True)
        for name in SHIPPED:
            self._add(ROOT / name, folder / name)

    def _add(self, source: Path, target: Path) -> None:
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.exists():
            shutil.rmtree(target)
        if self.editable_mode:
            target.symlink_to(Path('../..') / source.name)
        elif source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '*.pyc')
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)


setup(cmdclass=dict(build_py=BuildWithConfigs))
