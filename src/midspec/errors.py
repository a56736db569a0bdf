"""Every error a user can meet. A message says the value, what was expected, and what to do."""

from __future__ import annotations


class MidspecError(Exception):
    """Root of all errors raised on purpose. The command line prints the message, without a traceback."""

    exit_status = 1


class InputError(MidspecError, ValueError):
    """Something the user gave (recipe, spec, file, option) cannot be used as it is."""

    exit_status = 2


class MissingDependencyError(MidspecError, ImportError):
    """A command needs an extra that is not installed; the message holds the install command."""

    exit_status = 3


class ModelUnavailableError(MidspecError, OSError):
    """A base model cannot be had: not cached, and no source answers."""

    exit_status = 4


class StoreError(MidspecError, OSError):
    """The workspace cannot be read or written: permissions, a full disk, a damaged record."""

    exit_status = 5


class BusyError(MidspecError, RuntimeError):
    """Another process is doing this very work in this workspace."""

    exit_status = 6


class StepError(MidspecError, RuntimeError):
    """A step failed for a reason that lies in its data or its machine, not in the recipe's form."""

    exit_status = 7


class WriterError(MidspecError, RuntimeError):
    """A writer or judge could not give usable replies within its allowance."""

    exit_status = 8


class BudgetError(MidspecError, RuntimeError):
    """The dollar cap is reached. What was paid for is kept, and a higher cap goes on from here."""

    exit_status = 9


class ProviderError(MidspecError, RuntimeError):
    """A provider refuses to serve: a wrong or revoked key, a spending limit, an outage, an unknown model."""

    exit_status = 10
