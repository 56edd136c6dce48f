"""The parent of errors that the person who starts a process can mend: shown as a message, without a traceback."""

from __future__ import annotations


class CannotStart(Exception):
    """Something that a process needs is not there; the message says what, and what to do."""
