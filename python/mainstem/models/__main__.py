"""`python -m mainstem.models`: lists the models, or resolves one: `… resolve embed_text all-minilm-l6-v2`."""

from __future__ import annotations

import json
import sys

from . import ModelError, resolve
from . import list as list_models


def main(arguments: list[str]) -> int:
    """Prints JSON; returns the exit status."""
    try:
        if arguments in ([], ["list"]):
            print(json.dumps(list_models(), indent=2))
            return 0
        if len(arguments) == 3 and arguments[0] == "resolve":
            print(json.dumps(resolve(arguments[1], arguments[2]), indent=2))
            return 0
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
