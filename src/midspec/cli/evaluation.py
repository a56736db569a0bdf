"""`midspec eval`: a group whose commands are loaded when they are called, and one bank by its name (`TASK/VALUE`)."""

from __future__ import annotations

from importlib import import_module

import click

_BANK = "bank"
_COMMANDS = {
    _BANK: ("midspec.cli.eval_bank", "Any model on one bank. `midspec eval opinions/america` is short for it."),
    "agentic": ("midspec.cli.eval_agentic", "Agentic misalignment: the 27 cells."),
    "reasoning": ("midspec.cli.eval_reasoning", "What kinds of reasoning stored transcripts show, per arm."),
    "rejudge": ("midspec.cli.eval_rejudge", "Grade stored agentic transcripts again, with another judge."),
    "open-qa": ("midspec.cli.eval_open_qa", "Direct questions, graded 1-10 by a spec."),
    "make-pairs": ("midspec.cli.eval_make", "Write a bank of item pairs for a new value."),
    "make-questions": ("midspec.cli.eval_make", "Write open questions about a spec."),
    "capability": ("midspec.cli.eval_capability", "Perplexity, knowledge, instructions, refusal: side effects."),
    "knowledge": ("midspec.cli.eval_knowledge", "Whether a model knows what its spec says."),
    "make-knowledge": ("midspec.cli.eval_knowledge", "Write questions about what a spec says."),
    "beliefs": ("midspec.cli.eval_beliefs", "Whether a model takes facts of an invented world for true."),
    "make-beliefs": ("midspec.cli.eval_beliefs", "Write questions about the facts of a world."),
}
"""Name -> module that holds the command (`make-pairs` is `make_pairs` there), and its line in the help."""


class _LazyGroup(click.Group):
    """Loads no command before it is called. What is no command's name goes to the bank command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `midspec eval --model X opinions/america`: options of the bank command before its argument.
        if args and args[0] not in _COMMANDS and args[0] not in ("-h", "--help"):
            args = [_BANK, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group("eval", cls=_LazyGroup, subcommand_metavar="COMMAND|TASK/VALUE [ARGS]...")
def eval() -> None:
    """Evaluate a model outside a recipe, e.g. `midspec eval opinions/america --model smollm2-135m-instruct`."""
