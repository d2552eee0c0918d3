"""Print what makes a shell complete this command's words."""

import argparse
import os
import shlex
from pathlib import Path

from visigate_logging.cli.arguments import Args, argument
from visigate_logging.cli.command import COMMANDS, Command
from visigate_logging.cli.output import say


def run(args: Args) -> None:
    """Say how a shell completes them, or put that where the shell looks for it."""
    shell = args.shell or Path(os.environ.get("SHELL", "bash")).name
    script = SHELLS.get(shell, _bash)({command.name: _words(command) for command in COMMANDS})
    if not args.install:
        say(script)
        return
    path = Path.home() / PLACES.get(shell, PLACES["bash"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script + "\n")
    begin = f"; for it to be read, once: echo 'source {path}' >> ~/.zshrc" if shell == "zsh" else ""
    say(f"{path} is written{begin}; new shells complete visigate-errors")


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
PLACES = {
    "bash": ".local/share/bash-completion/completions/visigate-errors",
    "zsh": ".local/share/visigate-errors/completion.zsh",
    "fish": ".config/fish/completions/visigate-errors.fish",
}
"""Below one's home; bash-completion and fish look there by themselves."""
ARGUMENTS = (
    argument("shell", "default: the one that SHELL names", nargs="?", choices=tuple(SHELLS)),
    argument("--install", "write it where the shell looks for it, for this user"),
)
