"""Recipes: stages run in turn, skipped when done, gone on with when stopped."""

from .execution import run_recipe
from .report import write_report
from .stages import Recipe, Stage, read_recipe

__all__ = ['Recipe', 'Stage', 'read_recipe', 'run_recipe', 'write_report']
