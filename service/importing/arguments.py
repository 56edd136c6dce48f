"""Arguments of one call in another library's pipeline: read with their types checked, and none passed over unsaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kernels.errors import RecipeInvalid
from service.uploads.json_text import escaped

MOST_ARGUMENTS = 64
_LARGEST = 1e9
"""No argument of a picture's operation is larger; what is may not even fit a float."""
_ABSENT = object()


class Arguments:
    """The named arguments of a call. `names` may be several, the newest first, with `|` between.

    Every read checks the type: RecipeInvalid points at the argument. `notes` says how what is made of them differs.
    """

    def __init__(self, given: Mapping[str, Any], pointer: str) -> None:
        if len(given) > MOST_ARGUMENTS:
            raise RecipeInvalid(f"has {len(given)} arguments; at most {MOST_ARGUMENTS} are read", pointer)
        if any(not isinstance(name, str) for name in given):
            raise RecipeInvalid("names of arguments are text", pointer)
        self._given, self._pointer = given, pointer
        self._read: set[str] = set()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Says how the step that is made differs, once."""
        if text not in self.notes:
            self.notes.append(text)

    def unread(self) -> list[str]:
        """Arguments that nothing has asked for."""
        return [name for name in self._given if name not in self._read]

    def skip(self, names: str) -> None:
        """Takes these as read."""
        self._read.update(names.split("|"))

    def value(self, names: str, default: Any = None) -> Any:
        """The argument as it is written; null is the default."""
        found = self._find(names)
        return default if found is _ABSENT or found is None else found

    def has(self, names: str) -> bool:
        """Whether it is given, and not null."""
        return self.value(names) is not None

    def pointer(self, names: str) -> str:
        """A JSON pointer to the argument."""
        name = next((name for name in names.split("|") if name in self._given), names.split("|", maxsplit=1)[0])
        return f"{self._pointer}/{escaped(name)}"

    def number(self, names: str, default: float) -> float:
        """A number."""
        return self._number(self.value(names, default), self.pointer(names))

    def whole(self, names: str, default: int) -> int:
        """A whole number; 3.0 is one."""
        number = self.number(names, default)
        if number != int(number):
            raise RecipeInvalid("must be a whole number", self.pointer(names))
        return int(number)

    def flag(self, names: str, default: bool) -> bool:
        """True or false."""
        value = self.value(names, default)
        if not isinstance(value, bool):
            raise RecipeInvalid("must be true or false", self.pointer(names))
        return value

    def text(self, names: str, default: str) -> str:
        """Text."""
        value = self.value(names, default)
        if not isinstance(value, str):
            raise RecipeInvalid("must be text", self.pointer(names))
        return value

    def numbers(self, names: str, default: Sequence[float], lengths: Sequence[int]) -> tuple[float, ...]:
        """A list of numbers of one of these lengths; a single number is a list of one."""
        value = self.value(names, default)
        if value == ():
            raise RecipeInvalid("is required", self.pointer(names))
        found = value if isinstance(value, list | tuple) else [value]
        if len(found) not in lengths:
            wanted = " or ".join(str(length) for length in lengths) if len(lengths) < 4 else f"at most {lengths[-1]}"
            raise RecipeInvalid(f"must have {wanted} numbers", self.pointer(names))
        return tuple(self._number(one, self.pointer(names)) for one in found)

    def ends(self, names: str, default: Sequence[float] | float) -> tuple[float, float] | float:
        """A single number, or a pair of ends in order."""
        found = self.numbers(names, default if isinstance(default, list | tuple) else [default], (1, 2))  # type: ignore[list-item]
        if len(found) == 1:
            return found[0]
        if found[0] > found[1]:
            raise RecipeInvalid("the first end must not be above the second", self.pointer(names))
        return found[0], found[1]

    def _find(self, names: str) -> Any:
        self._read.update(names.split("|"))
        return next((self._given[name] for name in names.split("|") if name in self._given), _ABSENT)

    @staticmethod
    def _number(value: Any, pointer: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RecipeInvalid("must be a number", pointer)
        if not -_LARGEST <= value <= _LARGEST:  # NaN neither
            raise RecipeInvalid(f"must be a number within {_LARGEST:g} of 0", pointer)
        return float(value)
