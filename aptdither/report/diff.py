"""The change as a unified diff."""

from __future__ import annotations

import difflib
import io
import itertools
import operator
import os

_Path = str | os.PathLike[str]

#: Beyond so many lines between the first and the last change the diff may not be the shortest.
MANY_LINES = 4000


def unified_diff(old: bytes, new: bytes, *, encoding: str, names: tuple[_Path, _Path]) -> str:
    """Return the change of a file in `encoding` as a unified diff; empty for equal files.

    Lines end in a newline; a carriage return before it is kept.
    """
    if old == new:
        return ""
    # Split at newlines alone: XML text may hold other characters that end lines elsewhere.
    before, after = (list(io.StringIO(data.decode(encoding), newline="\n")) for data in (old, new))
    # The equal head and tail are most of a proposal; difflib would compare them slowly.
    head = _count_common(before, after)
    tail = _count_common(before[head:][::-1], after[head:][::-1])
    context = 3
    start = max(head - context, 0)
    before = before[start : len(before) - max(tail - context, 0)]
    after = after[start : len(after) - max(tail - context, 0)]
    # Lines with only an indent recur by the hundred. By default difflib ignores such lines and then
    # shows shifted lines as changed; not ignoring them takes time with the square of their number.
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(before) > MANY_LINES)
    lines = [f"--- {os.fspath(names[0])}\n", f"+++ {os.fspath(names[1])}\n"]
    for group in matcher.get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        lines.append(
            f"@@ -{_range(start + first[1], start + last[2])}"
            f" +{_range(start + first[3], start + last[4])} @@\n"
        )
        for operation, i1, i2, j1, j2 in group:
            if operation == "equal":
                lines += [" " + line for line in before[i1:i2]]
                continue
            lines += ["-" + line for line in before[i1:i2]]
            lines += ["+" + line for line in after[j1:j2]]
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _count_common(before: list[str], after: list[str]) -> int:
    """Return the number of equal first lines."""
    return sum(1 for _ in itertools.takewhile(bool, map(operator.eq, before, after)))


def _range(start: int, stop: int) -> str:
    if stop - start == 1:
        return f"{stop}"
    return f"{start + (stop > start)},{stop - start}"
