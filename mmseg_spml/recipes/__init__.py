"""Recipes: stages that run in turn, are skipped when done, and resume when stopped."""

from mmseg_spml.recipes.execution import run_recipe
from mmseg_spml.recipes.report import write_report
from mmseg_spml.recipes.stages import Recipe, Stage, read_recipe

__all__ = ['Recipe', 'Stage', 'read_recipe', 'run_recipe', 'write_report']
