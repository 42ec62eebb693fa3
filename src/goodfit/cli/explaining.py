"""The commands that read the catalogue: one finding's page, and the list of all findings."""

from __future__ import annotations

from typing import Annotated

import typer

from goodfit.cli.command import GOOD


def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of a finding, such as GF101.")],
) -> int:
    """Explain a finding: its sign, why it hurts, how it is measured, what helps."""
    from rich.console import Console
    from rich.markdown import Markdown

    from goodfit.diagnosis.catalogue import page

    text, console = page(code), Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        typer.echo(text)
    return GOOD


def findings() -> int:
    """List every finding there is: its code, its name, how bad it usually is, and its sign."""
    from goodfit.diagnosis.catalogue import CATALOGUE

    width = max(len(known.name) for known in CATALOGUE.values())
    for code, known in sorted(CATALOGUE.items()):
        typer.echo(f"{code}  {known.name:{width}}  {known.severity:7}  {known.sign}")
    return GOOD
