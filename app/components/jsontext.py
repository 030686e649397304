"""JSON made readable without being read: numbers, keys and strings stay as they were sent."""

import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def pretty(text: str, indent: str = "  ") -> str:
    """`text` on lines, indented. Text that is not JSON comes back with its own words in order."""
    out: list[str] = []
    depth = 0
    words = [match.group() for match in _TOKEN.finditer(text)]
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in "{[":
            if following in {"}", "]"}:
                out.append(word)
            else:
                depth += 1
                out.append(f"{word}\n{indent * depth}")
        elif word in "}]":
            if at and words[at - 1] in {"{", "["}:
                out.append(word)
            else:
                depth = max(0, depth - 1)
                out.append(f"\n{indent * depth}{word}")
        elif word == ",":
            out.append(f",\n{indent * depth}")
        elif word == ":":
            out.append(": ")
        else:
            out.append(word)
    return "".join(out)


def compact(text: str) -> str:
    """`text` without the white space between its words: one line."""
    return "".join(match.group() for match in _TOKEN.finditer(text))
