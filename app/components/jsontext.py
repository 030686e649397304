"""JSON made readable without being read: numbers, keys and strings stay the very characters that were sent."""

import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def pretty(text: str, indent: str = "  ") -> str:
    """`text` on lines, indented. Text that is not JSON comes back with its own words in order."""
    out: list[str] = []
    depth = 0
    tokens = [match.group() for match in _TOKEN.finditer(text)]
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if token in "{[":
            if following in {"}", "]"}:
                out.append(token)
            else:
                depth += 1
                out.append(f"{token}\n{indent * depth}")
        elif token in "}]":
            if at and tokens[at - 1] in {"{", "["}:
                out.append(token)
            else:
                depth = max(0, depth - 1)
                out.append(f"\n{indent * depth}{token}")
        elif token == ",":
            out.append(f",\n{indent * depth}")
        elif token == ":":
            out.append(": ")
        else:
            out.append(token)
    return "".join(out)


def compact(text: str) -> str:
    """`text` without the white space between its tokens: one line."""
    return "".join(match.group() for match in _TOKEN.finditer(text))
