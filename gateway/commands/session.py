"""What every command that touches the database shares."""

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.settings import Settings

ResultT = TypeVar("ResultT")


def actor() -> str:
    """Who acts in the record when a command does: ``cli:`` and the user that runs it, as the system knows it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        name = str(os.getuid())
    return f"cli:{name}"


def fail(sentence: str) -> typer.Exit:
    """Say why on standard error, and exit with 1."""
    typer.echo(sentence, err=True)
    return typer.Exit(1)


def settings_or_exit() -> "Settings":
    """The settings of the environment; a bad one ends the command with its sentence.

    From here on what the process writes is its user's alone.
    """
    os.umask(0o077)
    from gateway.logging import configure_logging
    from gateway.settings import SettingsError, load_settings

    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        raise fail(str(error)) from None
    configure_logging(settings.log_level.upper())
    return settings


def with_foundation(work: "Callable[[Foundation], Awaitable[ResultT]]") -> ResultT:
    """Run ``work`` on an open database; a refusal ends the command with its remedy."""
    from gateway.bootstrap.foundation import lay_foundation
    from gateway.errors import GatewayError
    from gateway.start_refusals import StartRefused, told_in_one_sentence

    settings = settings_or_exit()
    try:
        with told_in_one_sentence():
            foundation = lay_foundation(settings)
            try:
                return asyncio.run(_awaited(work, foundation))
            finally:
                foundation.close()
    except StartRefused as error:
        raise fail(str(error)) from None
    except GatewayError as error:
        clause = f"（{error.clause}）" if error.clause else ""
        raise fail(f"{error.title}{clause} [{error.check}]：{error.owner}——{error.remedy}") from None


async def _awaited(work: "Callable[[Foundation], Awaitable[ResultT]]", foundation: "Foundation") -> ResultT:
    await foundation.transactions.require_current_schema()
    await foundation.transactions.require_adopted()
    await foundation.rules.try_refresh()
    return await work(foundation)
