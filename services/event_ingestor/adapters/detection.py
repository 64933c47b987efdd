"""What the three ways of detecting calls have in common."""

from __future__ import annotations

from typing import Protocol


class Detection(Protocol):
    """Events of the watched extensions' calls, published as they come."""

    @property
    def watched(self) -> frozenset[str]:
        """The extensions that are to be watched."""
        ...

    @property
    def live(self) -> bool:
        """Whether their events come."""
        ...

    async def watch(self, extensions: frozenset[str]) -> None:
        """Watch these from now on."""
        ...

    async def run(self) -> None:
        """Ends by cancellation or a Fatal only."""
        ...
