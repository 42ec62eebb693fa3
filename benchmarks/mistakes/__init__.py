"""Mistakes planted in small training scripts, each with a healthy twin that does the same thing rightly.

Imports nothing beyond the standard library, so that tests can use it as it is.
"""

from mistakes.of_courses import OF_COURSES
from mistakes.of_loops import OF_LOOPS
from mistakes.of_losses import OF_LOSSES
from mistakes.pieces import Mistake
from mistakes.writing import written

__all__ = ["MISTAKES", "Mistake", "written"]
MISTAKES = (*OF_LOSSES, *OF_LOOPS, *OF_COURSES)
