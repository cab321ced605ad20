"""Bounds on what is read, each with its reason.

A proposal may come from anyone, so a file must not cost more time or memory than a real proposal of
its size. Bytes, markup and the longest text are checked before parsing; the parser limits the depth.
"""

from __future__ import annotations

#: Largest file, bytes. The largest real proposals are a few tens of megabytes, nearly all of it
#: planner output; a tree takes up to about ten times its file, so this bounds memory to a gigabyte.
MAX_BYTES = 100_000_000

#: Most ``<`` in a file, which bounds the elements: each costs a tree about 150 bytes whatever its
#: size. A dense 30 MB proposal has 331,000.
MAX_MARKUP = 2_000_000

#: Most ``=`` in a file, which bounds the attributes. A dense 30 MB proposal has 497,000.
MAX_EQUALS = 3_000_000

#: Longest stretch without a ``<``, bytes: no text, attribute or tag is longer. Parsers scan a long
#: token again whenever more of it arrives. The longest attribute seen in real files is 23 kB.
MAX_STRETCH = 9_000_000

#: Deepest nesting: where libxml2 stops by itself. APT nests less than 20 deep.
MAX_DEPTH = 256

#: Most visits, groups, exposures and patterns together; each becomes a Python object of about a
#: kilobyte. A dense 30 MB proposal has 28,800.
MAX_PLACED = 200_000

#: Most visits. Chosen: eight times the 1,296 numbers of two characters that APT gives to visits.
MAX_VISITS = 10_000

#: Most points that a tag may request. A visit of HST holds some tens of exposures, and each point
#: can become an exposure: without a bound one word could make a file of any size.
MAX_POINTS = 1_000

#: Most exposures of a visit that is dithered or reviewed, and of one that is made: what is compared
#: with what costs its square.
MAX_VISIT_EXPOSURES = 2_000

#: Longest Comments of an exposure that is dithered, bytes: every line is read, every character gets
#: an offset, and every copy repeats it.
MAX_COMMENTS = 200_000

#: Longest line of Comments that is quoted in an error, characters; the rest is cut.
MAX_QUOTED = 120
