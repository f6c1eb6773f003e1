"""The floor of start-up: one group that runs a command with one string option."""

import typer

app = typer.Typer()
config = typer.Typer()
app.add_typer(config, name="config")


@config.command()
def show(name: str = typer.Option("world")) -> None:
    """Show a name."""
    print(name)


if __name__ == "__main__":
    app()
