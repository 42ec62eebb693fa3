"""The command line; ``main`` is what the installed ``goodfit`` runs."""

from goodfit.cli.app import main

__all__ = ["main"]
