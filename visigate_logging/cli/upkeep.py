"""index and completion: the store's cache, and the shell."""

import argparse
import shlex

from visigate_logging.cli.arguments import add_json, add_log, open_store
from visigate_logging.cli.command import COMMANDS, DONE, FAILED, Command
from visigate_logging.cli.output import say, say_json


def _index_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=("show", "check", "rebuild"),
        default="show",
        help="show what it holds (default); check it against the files; or rebuild it from them, which forgets the "
        "counts of files that have been rotated out",
    )
    add_log(parser)
    add_json(parser)


def index(args: argparse.Namespace) -> int:
    """Show, check or rebuild the index beside the log."""
    store = open_store(args)
    if args.action == "rebuild":
        store.rebuild()
    problems = store.check() if args.action == "check" else []
    found = store.health() | ({"problems": problems} if args.action == "check" else {})
    if args.json:
        say_json(found)
    else:
        for name, value in found.items():
            for line in value if isinstance(value, list) else [value]:
                say(f"{name:>10}  {line}")
        if args.action == "check" and not problems:
            say("the index agrees with the files")
    return FAILED if problems else DONE


def _completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="for example: source <(visigate-errors completion bash)")


def completion(args: argparse.Namespace) -> int:
    """Say how a shell completes the words of this command."""
    say(SHELLS[args.shell]({command.name: _words(command) for command in COMMANDS}))
    return DONE


def _words(command: Command) -> list[str]:
    parser = argparse.ArgumentParser(prog=command.name)
    command.arguments(parser)
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
