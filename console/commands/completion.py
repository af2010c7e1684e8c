"""The completion of commands and options in a shell: completion.

The script holds every word itself, so that TAB starts no program.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from console import say
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.session.home import ENVS

SHELLS: Final = ("bash", "zsh", "fish")
COMMON: Final = ("--home", "--env", "--json", "--help")
WITH_VALUE: Final = ("--home", "--env")
ARGUMENTS: Final = {"completion": SHELLS, "remote sign": ("kill", "pause", "flatten")}
"""Commands whose argument is one of a few words."""


class Node(NamedTuple):
    """A command or group.

    Attributes:
        path: Its words; empty for the program.
        children: What may stand behind it: its commands, or the words its argument may be.
        valued: The options that take a value.
    """

    path: str
    says: str
    children: tuple[str, ...]
    options: tuple[str, ...]
    valued: tuple[str, ...]


def completion(where: Where, shell: str) -> Exit:
    """Print the script for a shell."""
    from console.cli import program

    if shell not in SHELLS:
        raise Quit(Exit.USAGE, f"{shell}: must be one of {', '.join(SHELLS)}")
    nodes = list(_nodes("", program()))
    script = _fish(nodes) if shell == "fish" else _bash(nodes)
    if shell == "zsh":
        script = "#compdef nightdesk\nautoload -U +X bashcompinit && bashcompinit\n" + script
    say.receipt({"shell": shell, "script": script}, script.rstrip("\n"), json_wanted=where.json)
    return Exit.DONE


def _nodes(path: str, command: Any) -> Iterator[Node]:
    """The command and all below it, as the parser has them."""
    children: dict[str, Any] = getattr(command, "commands", {})
    options = [option for option in command.params if option.param_type_name == "option" and path]
    names = tuple(name for option in options for name in (*option.opts, *option.secondary_opts))
    valued = tuple(name for option in options if not option.is_flag for name in option.opts)
    says = (command.help or "").partition("\n")[0]
    yield Node(path, says, tuple(children) or ARGUMENTS.get(path, ()), (*names, *COMMON), (*valued, *WITH_VALUE))
    for name, child in children.items():
        yield from _nodes(f"{path} {name}".strip(), child)


def _bash(nodes: list[Node]) -> str:
    known = "|".join(f'"{node.path}"' for node in nodes if node.path)
    values = "|".join(dict.fromkeys(name for node in nodes for name in node.valued if name != "--env"))
    words = "\n".join(f'    "{node.path}") words="{" ".join((*node.children, *node.options))}" ;;' for node in nodes)
    return f"""_nightdesk() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path="" next words="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="${{path:+$path }}${{COMP_WORDS[i]}}"
    case ${{COMP_WORDS[i]}} in
      {values}|--env) ((i++)) ;;
      *) case $next in {known}) path=$next ;; esac ;;
    esac
  done
  case $prev in
    --env) COMPREPLY=($(compgen -W "{" ".join(ENVS)}" -- "$cur")); return ;;
    {values}) return ;;
  esac
  case $path in
{words}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o bashdefault -o default -F _nightdesk nightdesk
"""


def _fish(nodes: list[Node]) -> str:
    """One line a word, each under the condition that its command has been typed and nothing below it."""
    lines = [
        "complete -c nightdesk -l home -r -d 'Folder of all desks'",
        f"complete -c nightdesk -l env -x -a '{' '.join(ENVS)}' -d 'Which desk'",
        "complete -c nightdesk -l json -d 'Answer in JSON'",
        "complete -c nightdesk -s h -l help -d 'Say how it is used'",
    ]
    says = {node.path: node.says.replace("'", r"\'") for node in nodes}
    for node in nodes:
        seen = [f"__fish_seen_subcommand_from {word}" for word in node.path.split()]
        below = [f"not __fish_seen_subcommand_from {' '.join(node.children)}"] if node.children else []
        when = "; and ".join((*seen, *below))
        for child in node.children:
            text = says.get(f"{node.path} {child}".strip(), "")
            lines.append(f"complete -c nightdesk -n '{when}' -f -a {child} -d '{text}'")
        for option in node.options:
            if option not in COMMON:
                needs = " -r" if option in node.valued else ""
                lines.append(f"complete -c nightdesk -n '{when}' -l {option.removeprefix('--')}{needs}")
    return "\n".join(lines) + "\n"
