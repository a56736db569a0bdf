"""The `midspec` command: parse, build, call, show. Each command imports what it needs when it is called."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from importlib import import_module
from types import FrameType

import click

from midspec import __version__
from midspec.errors import MidspecError, MissingDependencyError

_COMMANDS = {
    "plan": ("midspec.cli.plan", "Show what recipes will do, what their arms share, and what it will take."),
    "run": ("midspec.cli.recipe", "Run a recipe: make what is missing, then the report."),
    "status": ("midspec.cli.recipe", "Show the state of every step of a recipe."),
    "report": ("midspec.cli.recipe", "Write the report of a finished recipe again."),
    "archive": ("midspec.cli.recipe", "Write a recipe's finished results into one file, for others to show."),
    "compare": ("midspec.cli.compare", "Put a run beside the paper's figures, your own, or another run."),
    "corpus": ("midspec.cli.data", "Write and look at midtraining corpora."),
    "aft": ("midspec.cli.data", "Write demonstrations for alignment fine-tuning."),
    "train": ("midspec.cli.training", "Midtrain and fine-tune outside a recipe."),
    "export": ("midspec.cli.export", "Write an arm's training for TRL, LLaMA-Factory, axolotl or Tinker."),
    "eval": ("midspec.cli.evaluation", "Evaluate any model outside a recipe."),
    "serve": ("midspec.cli.serve", "Serve a base model and its adapters on vLLM."),
    "journal": ("midspec.cli.journal", "Look at, copy and repair the journal of language-model calls."),
    "trace": ("midspec.cli.look", "Show where a document, demonstration or evaluation item comes from."),
    "models": ("midspec.cli.models", "List and fetch base models; save and publish trained ones."),
    "spec": ("midspec.cli.spec", "Show, lint, vary and compare Model Specs."),
}
_EXTRAS = {
    "torch": "train", "transformers": "train", "peft": "train", "accelerate": "train", "safetensors": "train",
    "gguf": "train", "tokenizers": "train", "datasets": "hub", "pyarrow": "hub", "huggingface_hub": "hub",
    "anthropic": "write", "openai": "write", "httpx2": "write", "tenacity": "write",
    "inspect_ai": "eval", "inspect_evals": "eval", "scipy": "eval", "statsmodels": "eval",
    "matplotlib": "eval", "numpy": "eval",
}  # fmt: skip
INTERRUPTED = 130


class _LazyGroup(click.Group):
    """Loads a command's module only when that command is called, so that help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="midspec")
def cli() -> None:
    """Turn a Model Spec into a model that generalises the way the spec intends, and prove it.

    Start with: midspec run recipes/quickstart.yaml
    """


def main() -> None:
    """Entry point. Exit status: 0 done, 2 bad input, 130 interrupted, others see midspec.errors."""
    signal.signal(signal.SIGTERM, _terminated)
    # Deprecations inside other people's libraries are no news to the user of this one.
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Abort as error:
        # Click turns Ctrl-C into Abort, and so does a "no" to a question.
        if isinstance(error.__cause__, KeyboardInterrupt):
            _fail("interrupted. Finished steps are kept; the same command goes on from here.", INTERRUPTED)
        _fail("stopped. Nothing was started.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MidspecError as error:
        _fail(f"error: {error}", error.exit_status)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        missing = MissingDependencyError(
            f"this command needs {error.name!r}, which is not installed; "
            f"install it with: pip install 'midspec[{extra}]'"
        )
        _fail(f"error: {missing}", missing.exit_status)
    except BrokenPipeError:  # `midspec trace ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _terminated(number: int, frame: FrameType | None) -> None:
    # A polite kill ends like Ctrl-C: locks are released and half-made folders removed.
    raise KeyboardInterrupt


def _fail(text: str, status: int) -> None:
    click.echo(text, err=True)
    sys.exit(status)
