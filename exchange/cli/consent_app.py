"""`cbm consent`: one group, whose commands are in files of their own."""

import typer

from exchange.cli import cmd_consent, cmd_refusals, cmd_withdrawal

consent_app = typer.Typer(help="Consent: asked for, given, refused, withdrawn, explained.", add_completion=False)
cmd_consent.register(consent_app)
cmd_withdrawal.register(consent_app)
cmd_refusals.register(consent_app)
