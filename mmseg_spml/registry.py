"""The package's place among MMEngine's registries and packages.

The modules are registered in MMSegmentation's registries. The children below hold none
of their own: they make ``mmseg_spml`` a scope, which MMEngine gives to what a config
inherits by ``_base_ = 'mmseg_spml::...'``.
"""

from collections.abc import Callable
from functools import wraps
from importlib import metadata
from pathlib import Path

from mmengine.config import config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmseg import registry as mmseg_registry

SCOPE = 'mmseg_spml'


def _known_to_mmengine() -> None:
    """Have MMEngine find the configs of this package, and those of MMSegmentation.

    MMEngine lists the packages that ``_base_`` may name, and the distributions that
    bring them. The list has neither this package nor the distribution
    ``onedl-mmsegmentation``.
    """
    MODULE2PACKAGE.setdefault(SCOPE, SCOPE)
    installed = {dist.name.lower() for dist in metadata.distributions() if dist.name}
    if 'mmsegmentation' not in installed and 'onedl-mmsegmentation' in installed:
        MODULE2PACKAGE['mmseg'] = 'onedl-mmsegmentation'
    config.get_installed_path = _with_this_package(config.get_installed_path)


def _with_this_package(find: Callable[[str], str]) -> Callable[[str], str]:
    """Have a function that finds packages find this one.

    The function of mmengine 0.10 looks for an editable installation in the folder of
    installed packages, where it is not.
    """

    @wraps(find)
    def find_this_or_another(package: str) -> str:
        if package == SCOPE:
            return str(Path(__file__).parent)
        return find(package)

    return find_this_or_another


def _children() -> dict[str, Registry]:
    parents = {
        name: registry
        for name, registry in vars(mmseg_registry).items()
        if isinstance(registry, Registry)
    }
    for parent in parents.values():
        # Children look modules up in their parents, but do not have these import any.
        parent.import_from_location()
    return {
        name: Registry(registry.name, parent=registry, scope=SCOPE, locations=[SCOPE])
        for name, registry in parents.items()
    }


_known_to_mmengine()
_CHILDREN = _children()
