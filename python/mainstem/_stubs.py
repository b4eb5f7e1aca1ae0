"""Writes what comes from the registry: ``_functions.pyi`` for type checkers and editors, and docs/reference.

``python -m mainstem._stubs`` writes, ``--check`` only says whether something would change."""

from __future__ import annotations

import argparse
import inspect
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainstem.accessors import ACCESSORS
from mainstem.registry import Function, functions, parse


def stub_text(known: Mapping[str, Function]) -> str:
    """The text of ``_functions.pyi``."""
    lines: list[str] = []
    for prefix in ACCESSORS:
        lines += ["", f"class {prefix.capitalize()}Accessor(Accessor):", *_methods(known, prefix, method=True)]
    lines += ["", "class AiFunctions(FunctionNamespace):", *_methods(known, "ai", method=False)]
    body = "\n".join(lines) + "\n"
    head = [
        '"""The registry\'s functions as methods. Written by `python -m mainstem._stubs`; do not edit."""',
        "",
        *(["from collections.abc import Sequence"] if "Sequence[" in body else []),
        *(["from typing import Any"] if ": Any" in body else []),
        "",
        f"from mainstem.accessors import Accessor, FunctionNamespace{', TableCall' if '-> TableCall' in body else ''}",
        "from mainstem.expressions import Expression",
    ]
    return "\n".join(head) + "\n" + body


def _methods(known: Mapping[str, Function], prefix: str, *, method: bool) -> list[str]:
    lines = [f'    """Functions {prefix}.*"""']
    for function in known.values():
        if function.accessor == prefix:
            lines += ["", *_method(function, method=method)]
    return lines


def _method(function: Function, *, method: bool) -> list[str]:
    signature = function.signature(method=method)
    parameters = ["self"]
    keyword_only = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            keyword_only = True
            parameters.append(f"*{parameter.name}: {parameter.annotation}")
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parameters.append("*")
        default = "" if parameter.default is inspect.Parameter.empty else f" = {_quoted(parameter.default)}"
        parameters.append(f"{parameter.name}: {parameter.annotation}{default}")
    result = "TableCall" if function.kind == "table" else "Expression"
    head = f"    def {function.short_name}({', '.join(parameters)}) -> {result}:"
    if len(head) > 120:
        inner = "".join(f"        {parameter},\n" for parameter in parameters)
        head = f"    def {function.short_name}(\n{inner}    ) -> {result}:"
    doc = function.docstring().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    body = textwrap.indent(
        f'"""{doc}\n"""' if "\n" in doc else f'"""{doc}"""', " " * 8, lambda line: bool(line.strip())
    )
    return [head, *body.splitlines()]


def _quoted(value: Any) -> str:
    # As formatters write it: with double quotes.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def reference_pages(known: Mapping[str, Function]) -> dict[str, str]:
    """The reference: a page for each accessor, by file name."""
    groups: dict[str, list[Function]] = {}
    for function in known.values():
        groups.setdefault(function.accessor or "operators", []).append(function)
    pages = {f"{name}.md": _page(name, members) for name, members in sorted(groups.items())}
    index = ["# Functions", "", "Written from the registry by `python -m mainstem._stubs`.", ""]
    index += [f"* [{name}]({name}.md): {', '.join(f.short_name for f in groups[name])}" for name in sorted(groups)]
    return {"README.md": "\n".join(index) + "\n", **pages}


def _page(name: str, members: list[Function]) -> str:
    lines = [f"# {name}", ""]
    for function in members:
        lines += [f"## {function.name}", "", f"`{_usage(function)}`", "", function.doc.strip(), ""]
        if function.arguments:
            lines += ["| argument | takes | |", "|---|---|---|"]
            lines += [f"| `{a.name}` | {a.accepts} | {_cell(a.doc)} |" for a in function.arguments]
            lines.append("")
        if function.public_options:
            lines += ["| option | type | default | |", "|---|---|---|---|"]
            for option in function.public_options:
                default = "required" if option.required else f"`{option.default!r}`"
                limits = f" ({option.limits})" if option.limits else ""
                lines.append(
                    f"| `{option.name}` | {_cell(option.annotation)} | {default} | {_cell(option.doc + limits)} |"
                )
            lines.append("")
        lines += [f"Kind: {function.kind}; cost: {function.cost}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _usage(function: Function) -> str:
    method = bool(function.accessor) and function.accessor in ACCESSORS
    signature = function.signature(method=method)
    parameters = [p.replace(annotation=inspect.Parameter.empty) for n, p in signature.parameters.items() if n != "self"]
    call = f"{function.short_name}{inspect.Signature(parameters)}"
    if method:
        return f"x.{function.accessor}.{call}"
    return f"ms.ai.{call}" if function.accessor == "ai" else call


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    package = Path(__file__).resolve().parent
    parser.add_argument("--registry", type=Path, help="the registry's JSON in a file, instead of the native module's")
    parser.add_argument("--docs", type=Path, default=package.parents[1] / "docs" / "reference")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something would change")
    options = parser.parse_args()
    known = parse(options.registry.read_text()) if options.registry else functions()

    wanted = {package / "_functions.pyi": stub_text(known)}
    wanted |= {options.docs / name: text for name, text in reference_pages(known).items()}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    if options.check:
        for path in stale:
            print(f"{path} is not what the registry says; run python -m mainstem._stubs")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    print(f"wrote {len(stale)} of {len(wanted)} files")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
