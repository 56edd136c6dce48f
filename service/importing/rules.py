"""The vocabulary of the tables: what a class of another library is here, and how its arguments become our fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.importing.arguments import Arguments

Reader = Callable[[Arguments], Any]
"""reader(arguments) -> value of one of our fields; None leaves the field at its default."""
Note = str | Callable[[Arguments], None]
"""What always differs, or a look at the arguments that says what does."""
BITS = 255.0
"""Full brightness, where values are those of 8 bits."""


@dataclass(frozen=True)
class Step:
    """A step that is made: its operation, fields and, for containers, the steps inside it."""

    op: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    chance: float = 1.0
    steps: tuple[Step, ...] | None = None
    source: int = -1
    """Place in the report of what it was made of."""


class Unmapped(Exception):
    """These arguments ask for something that we have not, though others of the class can be mapped."""

    def __init__(self, why: str, *nearest: str) -> None:
        super().__init__(why)
        self.why, self.nearest = why, nearest


@dataclass(frozen=True)
class Rule:
    """A class that is one or more steps here. `p` is its own default probability."""

    make: Callable[[Arguments], Sequence[Step]]
    p: float = 1.0


@dataclass(frozen=True)
class Nothing:
    """A class that needs no step here."""

    why: str


@dataclass(frozen=True)
class Missing:
    """A class that we have nothing for; `nearest` are our operations that come close."""

    why: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelRule:
    """A class, or a group of arguments, that is a rule for labels here: read(arguments) -> fields of `labels`."""

    read: Callable[[Arguments], Mapping[str, Any]]


@dataclass(frozen=True)
class Container:
    """A class that holds others. `kind` is our operation for what is done with them, or `line`: one after the other."""

    kind: str
    p: float = 1.0
    notes: tuple[Callable[[Arguments], None], ...] = ()
    fields: Mapping[str, Reader] = field(default_factory=dict)
    """Fields of our operation, with how each is read."""


Entry = Rule | Nothing | Missing | LabelRule | Container


def rule(op: str, *notes: Note, p: float = 1.0, **fields: Reader) -> Rule:
    """A class that is one step here: each of our fields with how it is read, and what differs."""

    def make(arguments: Arguments) -> Sequence[Step]:
        read = {name: reader(arguments) for name, reader in fields.items()}
        for note in notes:
            if isinstance(note, str):
                arguments.note(note)
            else:
                note(arguments)
        return [Step(op, {name: value for name, value in read.items() if value is not None})]

    return Rule(make, p)


# fields


def same(value: Any) -> Reader:
    """Always this value."""
    return lambda arguments: value


def pair(names: str, default: Any, *, of: float = 1.0, plus: float = 0.0) -> Reader:
    """A range; a single number is both of its ends. Both are divided by `of`, then `plus` is added."""

    def read(arguments: Arguments) -> Any:
        return _scaled(_both(arguments.ends(names, default)), of, plus)

    return read


def limit(names: str, default: Any, *, of: float = 1.0, plus: float = 0.0) -> Reader:
    """A range; a single number n means [-n, n]."""

    def read(arguments: Arguments) -> Any:
        found = arguments.ends(names, default)
        return _scaled(found if isinstance(found, tuple) else (-abs(found), abs(found)), of, plus)

    return read


def turned(names: str, default: Any) -> Reader:
    """A range of angles whose positive ones turn the other way; a single number n means [-n, n]."""

    def read(arguments: Arguments) -> Any:
        low, high = limit(names, default)(arguments)
        return [0.0 - high, 0.0 - low]

    return read


def jitter(names: str, default: Any = 0.0) -> Reader:
    """A range of factors; a single number n means [1 - n, 1 + n], from 0 up."""

    def read(arguments: Arguments) -> Any:
        found = arguments.ends(names, default)
        return [*found] if isinstance(found, tuple) else [max(0.0, 1.0 - found), 1.0 + found]

    return read


def whole_pair(names: str, default: Any) -> Reader:
    """A range of whole numbers; a single one is both of its ends."""

    def read(arguments: Arguments) -> Any:
        return [round(end) for end in _both(arguments.ends(names, default))]

    return read


def odd_sides(names: str, default: Any) -> Reader:
    """The range of a window's side; only odd sides are drawn there, and all sides here."""

    def read(arguments: Arguments) -> Any:
        low, high = (round(end) for end in _both(arguments.ends(names, default)))
        low, high = low | 1, high | 1
        if low != high:
            arguments.note("windows of even sides are drawn too")
        return [low, high]

    return read


def square(names: str = "size") -> Reader:
    """[height, width]; a single number is both."""

    def read(arguments: Arguments) -> Any:
        found = arguments.numbers(names, (), (1, 2))
        return [round(found[0]), round(found[-1])]

    return read


def sides(height: str = "height", width: str = "width", size: str = "size") -> Reader:
    """[height, width] of two arguments, or of `size`."""

    def read(arguments: Arguments) -> Any:
        if arguments.has(size):
            arguments.skip(f"{height}|{width}")
            return square(size)(arguments)
        return [arguments.whole(height, 0), arguments.whole(width, 0)]

    return read


def inverted(reader: Reader) -> Reader:
    """A range of height / width as one of width / height."""

    def read(arguments: Arguments) -> Any:
        low, high = reader(arguments)
        return [1.0 / max(high, 1e-6), 1.0 / max(low, 1e-6)]

    return read


def color(names: str, default: Any = 0.0, *, of: float = BITS) -> Reader:
    """A colour; a single number is grey. Divided by `of`."""

    def read(arguments: Arguments) -> Any:
        found = arguments.numbers(names, [default] if isinstance(default, int | float) else default, (1, 3))
        return [one / of for one in (found if len(found) == 3 else found * 3)]

    return read


def borders(names: str, default: Any, known: Mapping[Any, str], again: Sequence[Any]) -> Reader:
    """What is outside the picture. `known`: ours for each of theirs; those in `again` leave out the edge pixel."""

    def read(arguments: Arguments) -> Any:
        found = arguments.value(names, default)
        if isinstance(found, list | dict) or found not in known:
            arguments.note(f"what is outside the picture, {_short(found)}, is constant here")
            return "constant"
        if found in again:
            arguments.note("the mirror image outside the picture repeats the edge pixel here")
        return known[found]

    return read


# notes


def unless(names: str, default: Any, alike: Sequence[Any], text: str) -> Callable[[Arguments], None]:
    """`text`, unless the argument (or its default) is one of those in `alike`."""

    def look(arguments: Arguments) -> None:
        found = arguments.value(names, default)
        if (tuple(found) if isinstance(found, list) else found) not in alike:
            arguments.note(text)

    return look


def passed_over(names: str) -> Callable[[Arguments], None]:
    """These arguments make no difference to the picture."""

    def look(arguments: Arguments) -> None:
        arguments.skip(names)

    return look


def unmapped(names: str) -> Callable[[Arguments], None]:
    """These arguments have no field here; where one is given, that is said."""

    def look(arguments: Arguments) -> None:
        given = [name for name in names.split("|") if arguments.has(name)]
        arguments.skip(names)
        if given:
            arguments.note(f"{', '.join(f'`{name}`' for name in given)} passed over: ours are the defaults")

    return look


def in_pixels(names: str, what: str) -> Callable[[Arguments], None]:
    """These arguments are in pixels there and shares of a side here: ours keep their defaults."""

    def look(arguments: Arguments) -> None:
        arguments.skip(names)
        arguments.note(f"{what} are in pixels there and shares of the shorter side here: ours are the defaults")

    return look


def deviation(names: str, default: Any) -> Callable[[Arguments], list[float]]:
    """Ends of an even range whose standard deviation is the one given."""

    def read(arguments: Arguments) -> list[float]:
        reach = math.sqrt(3.0) * arguments.number(names, default)
        return [-reach, reach]

    return read


def _both(found: tuple[float, float] | float) -> tuple[float, float]:
    return found if isinstance(found, tuple) else (found, found)


def _scaled(ends: tuple[float, float], of: float, plus: float) -> list[float]:
    return [end / of + plus for end in ends]


def _short(value: object) -> str:
    return "a list or an object" if isinstance(value, list | dict) else ascii(value)[:40]
