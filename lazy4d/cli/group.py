"""The command ``lazy4d`` itself: its sub-commands, and what becomes of errors and of Ctrl-C."""

from __future__ import annotations

from typing import Any

import click

from lazy4d.cli.convert import convert
from lazy4d.cli.demo import demo
from lazy4d.cli.doctor import doctor, own_version
from lazy4d.cli.info import info
from lazy4d.cli.options import DEBUG, debug_option
from lazy4d.errors import Lazy4DError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

EXPECTED = (Lazy4DError, OSError, ValueError, TypeError)
"""Errors whose message tells a user all there is to know."""


class OneLineErrors(click.Group):
    """A group of commands whose errors are one line on stderr and exit status 1; with ``--debug`` a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            raise  # the reader of our output has gone; click ends quietly
        except EXPECTED as error:
            if ctx.meta.get(DEBUG):
                raise
            raise click.ClickException(one_line(error)) from error


def one_line(error: BaseException) -> str:
    r"""What an error says, on one line.

    Examples
    --------
    >>> one_line(ValueError("too short:\n  4 bytes")), one_line(FileNotFoundError(2, "No such file", "scan.mib"))
    ('too short: 4 bytes', 'No such file: scan.mib')
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(line.strip() for line in str(error).splitlines()) or type(error).__name__


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(own_version(), prog_name="lazy4d")
@debug_option
def main() -> None:
    """4D-STEM scans larger than memory: look at files, convert them, see a demonstration, check an installation."""


main.add_command(demo)
main.add_command(info)
main.add_command(convert)
main.add_command(doctor)
