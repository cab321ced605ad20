"""What can go wrong, and where.

::

    AptDitherError            anything this package refuses to do; exit code 3
     ├── InputError           a file that cannot be read: missing, no file at all, too large
     ├── DocumentError        the bytes are not an XML document that can be read safely
     ├── ProposalError        the XML is not an HST proposal, or a part that is needed is unreadable
     ├── TagError             an ``@dither`` line that breaks its grammar
     ├── RefusalError         a request that is understood and will not be carried out
     ├── CatalogError         a pattern catalogue, or a name that is not in it
     ├── OpticsError          an aperture, spectral element or distortion file
     │    └── NotConvergedError   the inverse of a distortion did not settle; carries its state
     ├── RewriteError         the new document failed its proof: a fault of ours, nothing is written
     ├── ManyErrors           several of the above, listed together
     └── UsageError           what was asked on the command line cannot be; exit code 2
          └── OutputError     the output cannot be written

Every error knows its place: file, visit, exposure, line. The message says what was found, what is
allowed and what to do; :meth:`AptDitherError.lines` gives one line for each thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

#: A file can hold names and values of any length, and as many as it likes; what is said of them
#: stays readable: the longest name of a place and the longest message, characters.
MAX_NAME = 80
MAX_MESSAGE = 2_000


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters; what is cut off is marked by ``…``."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where in a proposal something is; every part may be unknown."""

    path: str | None = None
    visit: str | None = None
    exposure: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the known parts, outermost first: ``visit 01, exposure 3, line 159``."""
        named = (
            (self.path, "{}"),
            (self.visit and shortened(self.visit, MAX_NAME), "visit {}"),
            (self.exposure and shortened(self.exposure, MAX_NAME), "exposure {}"),
            (self.line, "line {}"),
        )
        return ", ".join(words.format(value) for value, words in named if value is not None)

    def inside(self, outer: Location) -> Location:
        """Return this place with its unknown parts taken from `outer`."""
        unknown = {
            name: getattr(outer, name)
            for name in ("path", "visit", "exposure", "line")
            if getattr(self, name) is None
        }
        return replace(self, **unknown)


NOWHERE = Location()


class AptDitherError(Exception):
    """Base of every error that aptdither raises on purpose.

    Parameters
    ----------
    message : str
        One sentence or more: what was found, what is allowed, what to do.
    place : Location, optional
        Where it was found.
    """

    exit_code = 3

    def __init__(self, message: str, *, location: Location = NOWHERE) -> None:
        super().__init__(message)
        self.message = shortened(message, MAX_MESSAGE)
        self.location = location

    def __str__(self) -> str:
        """Return ``place: message``."""
        where = str(self.location)
        return f"{where}: {self.message}" if where else self.message

    def lines(self) -> tuple[str, ...]:
        """Return one line for each thing that is wrong."""
        return (str(self),)

    def located(self, outer: Location) -> AptDitherError:
        """Fill the unknown parts of the place from `outer`, in place; return the error itself."""
        self.location = self.location.inside(outer)
        return self


class InputError(AptDitherError):
    """A file cannot be read: it is missing, not a regular file, too large or not ours to read."""


class DocumentError(AptDitherError):
    """The bytes are not an XML document that can be read safely."""


class ProposalError(AptDitherError):
    """The XML is not an HST proposal, or a part that is needed cannot be read."""


class TagError(AptDitherError):
    """An ``@dither`` line breaks its grammar."""


class RefusalError(AptDitherError):
    """The request is understood and will not be carried out; the message says the way out."""


class CatalogError(AptDitherError):
    """A pattern catalogue is not usable, or a pattern is not in it."""


class OpticsError(AptDitherError):
    """An aperture, a spectral element or a distortion file is unknown or not usable."""


class NotConvergedError(OpticsError):
    """The inverse of a distortion did not settle.

    Parameters
    ----------
    iterations : int
        Newton steps that were taken.
    worst_residual_arcsec : float
        Largest distance between the wanted and the reached ideal position, arcsec.
    """

    def __init__(self, *, iterations: int, worst_residual_arcsec: float) -> None:
        super().__init__(
            f"the distortion could not be inverted: after {iterations} Newton steps the worst "
            f"point is still {worst_residual_arcsec:.3g} arcsec away; is it on the detector?"
        )
        self.iterations = iterations
        self.worst_residual_arcsec = worst_residual_arcsec


class RewriteError(AptDitherError):
    """The new document failed its proof against the old one; nothing may be written."""


class UsageError(AptDitherError):
    """What was asked on the command line cannot be."""

    exit_code = 2


class OutputError(UsageError):
    """The output cannot be written as asked; what was there before is whole."""


class ManyErrors(AptDitherError):
    """Several errors of one run, so that all can be mended at once.

    Parameters
    ----------
    errors : iterable of AptDitherError
        At least one.
    """

    def __init__(self, errors: Iterable[AptDitherError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(line for error in self.errors for line in error.lines()))
        self.exit_code = max(error.exit_code for error in self.errors)

    def lines(self) -> tuple[str, ...]:
        """Return the lines of all its errors."""
        return tuple(line for error in self.errors for line in error.lines())

    def located(self, outer: Location) -> AptDitherError:
        """Fill the unknown parts of every error's place; return the error itself."""
        for error in self.errors:
            error.located(outer)
        return ManyErrors(self.errors)


def raise_all(errors: Iterable[AptDitherError]) -> None:
    """Raise nothing, the one error, or :class:`ManyErrors`.

    Raises
    ------
    AptDitherError
        If there is at least one error.
    """
    found = tuple(errors)
    if len(found) == 1:
        raise found[0]
    if found:
        raise ManyErrors(found)
