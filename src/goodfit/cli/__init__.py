"""The command line; ``main`` is what the installed ``goodfit`` runs."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, as the installed ``goodfit`` does."""
    from goodfit.cli.observing import observe, plain_words

    found = plain_words(sys.argv[1:])
    if found is not None:
        from goodfit.cli.command import code_of

        sys.exit(code_of(observe, **found))
    from goodfit.cli.app import main as whole

    whole()
