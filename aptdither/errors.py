"""Errors and their locations.

::

    AptDitherError            base; exit code 3
     ├── InputError           a file cannot be read: missing, not a regular file, too large
     ├── DocumentError        not an XML document that can be read safely
     ├── ProposalError        not an HST proposal, or a required part is unreadable
     ├── TagError             malformed ``@dither`` line
     ├── ReceiptError         receipts that contradict their exposures or each other
     ├── RefusalError         valid request that is not carried out; names the way out
     ├── CatalogError         unusable pattern catalog, or unknown pattern
     ├── OpticsError          unknown or unusable aperture, spectral element or distortion file
     │    └── NotConvergedError   the distortion could not be inverted
     ├── RewriteError         internal error: the new document failed verification
     ├── ManyErrors           several of the above
     └── UsageError           invalid command line; exit code 2
          └── OutputError     the output cannot be written

Every error has a location. Its message says what was found, what is allowed and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

#: Longest name in a location and longest message, characters: a file can hold texts of any length.
MAX_NAME = 80
MAX_MESSAGE = 2_000


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters; ``…`` marks what was cut off."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A location in a proposal; every part may be unknown."""

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
        """Return this location with its unknown parts taken from `outer`."""
        unknown = [name for name in self.__slots__ if getattr(self, name) is None]
        return replace(self, **{name: getattr(outer, name) for name in unknown})


NOWHERE = Location()


class AptDitherError(Exception):
    """Base of every error that aptdither raises on purpose, with its location.

    The message is one sentence or more: what was found, what is allowed, what to do.
    """

    exit_code = 3

    def __init__(self, message: str, *, location: Location = NOWHERE) -> None:
        super().__init__(message)
        self.message = shortened(message, MAX_MESSAGE)
        self.location = location

    def __str__(self) -> str:
        """Return ``location: message``."""
        where = str(self.location)
        return f"{where}: {self.message}" if where else self.message

    def each(self) -> tuple[AptDitherError, ...]:
        """Return the errors that this one stands for: itself, or several."""
        return getattr(self, "errors", (self,))

    def lines(self) -> tuple[str, ...]:
        """Return one line for each error."""
        return (str(self),)

    def notes(self) -> tuple[str, ...]:
        """Return the notes that :meth:`add_note` added, one line each."""
        where = f"{self.location.path}: " if self.location.path else ""
        return tuple(f"{where}{note}" for note in getattr(self, "__notes__", ()))

    def located(self, outer: Location) -> AptDitherError:
        """Fill the unknown parts of the location from `outer`; return the error itself."""
        self.location = self.location.inside(outer)
        return self


class InputError(AptDitherError):
    """A file cannot be read: missing, not a regular file, too large or without permission."""


class DocumentError(AptDitherError):
    """The file is not an XML document that can be read safely."""


class ProposalError(AptDitherError):
    """The XML is not an HST proposal, or a required part cannot be read."""


class TagError(AptDitherError):
    """An ``@dither`` line is malformed."""


class ReceiptError(AptDitherError):
    """Receipts of an earlier run contradict their exposures or each other."""


class RefusalError(AptDitherError):
    """A valid request is not carried out; the message names the way out."""


class CatalogError(AptDitherError):
    """A pattern catalog is not usable, or has no such pattern."""


class OpticsError(AptDitherError):
    """An aperture, a spectral element or a distortion file is unknown or not usable."""


class NotConvergedError(OpticsError):
    """The inversion of a distortion did not converge within some Newton steps.

    The largest remaining error is that in the ideal frame, arcsec.
    """

    def __init__(self, *, iterations: int, worst_residual_arcsec: float) -> None:
        super().__init__(
            f"the distortion could not be inverted: the error is {worst_residual_arcsec:.3g} arcsec "
            f"after {iterations} Newton steps; give a position on the detector"
        )
        self.iterations = iterations
        self.worst_residual_arcsec = worst_residual_arcsec


class RewriteError(AptDitherError):
    """The new document failed verification against the old one: an internal error, please report."""


class UsageError(AptDitherError):
    """The command line is invalid."""

    exit_code = 2


class OutputError(UsageError):
    """The output cannot be written; an existing file is unchanged."""


class ManyErrors(AptDitherError):
    """Several errors of one run, at least one, so that all can be corrected at once."""

    def __init__(self, errors: Iterable[AptDitherError]) -> None:
        self.errors = tuple(errors)
        super().__init__("several errors")
        self.exit_code = max(error.exit_code for error in self.errors)

    def __str__(self) -> str:
        """Return the lines of all errors."""
        return "\n".join(self.lines())

    def lines(self) -> tuple[str, ...]:
        """Return the lines of all errors."""
        return tuple(line for error in self.errors for line in error.lines())

    def notes(self) -> tuple[str, ...]:
        """Return the notes of all errors."""
        inner = (note for error in self.errors for note in error.notes())
        return (*inner, *super().notes())

    def located(self, outer: Location) -> AptDitherError:
        """Fill the unknown parts of the location of every error."""
        for error in self.errors:
            error.located(outer)
        return super().located(outer)


def raise_all(errors: Iterable[AptDitherError], *, note: str = "") -> None:
    """Raise the errors, with a note: none, the only one, or :class:`ManyErrors`."""
    raised = tuple(errors)
    if not raised:
        return
    error = raised[0] if len(raised) == 1 else ManyErrors(raised)
    if note:
        error.add_note(note)
    raise error
