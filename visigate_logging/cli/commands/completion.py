"""Print what makes a shell complete this command's words."""

import argparse
import shlex

from visigate_logging.cli.arguments import argument
from visigate_logging.cli.command import COMMANDS, DONE, Command
from visigate_logging.cli.output import say


def run(args: argparse.Namespace) -> int:
    """Say how a shell completes them."""
    say(SHELLS[args.shell]({command.name: _words(command) for command in COMMANDS}))
    return DONE


def _words(command: Command) -> list[str]:
    parser = command.declare(argparse.ArgumentParser(prog=command.name))
    words = [option for action in parser._actions for option in action.option_strings]
    return words + [
        str(choice) for action in parser._actions if not action.option_strings for choice in action.choices or ()
    ]


def _bash(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {name}) words={shlex.quote(' '.join(some))} ;;" for name, some in words.items())
    return f"""_visigate_errors() {{
  local words={shlex.quote(" ".join(words))}
  [ "$COMP_CWORD" -gt 1 ] && case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _visigate_errors visigate-errors"""


def _zsh(words: dict[str, list[str]]) -> str:
    return "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" + _bash(words)


def _fish(words: dict[str, list[str]]) -> str:
    start = f"complete -c visigate-errors -n __fish_use_subcommand -xa {shlex.quote(' '.join(words))}"
    seen = "complete -c visigate-errors -n '__fish_seen_subcommand_from {}' -a {}"
    return "\n".join([start, *(seen.format(name, shlex.quote(" ".join(some))) for name, some in words.items())])


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
ARGUMENTS = (argument("shell", "for example: source <(visigate-errors completion bash)", choices=tuple(SHELLS)),)
