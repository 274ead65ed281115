"""Sub-commands of ``bandian``; each module brings one typer app."""
