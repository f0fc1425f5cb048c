"""A bar where one is wanted and tqdm is there."""

from __future__ import annotations

from typing import Callable, Optional


def bar(show: Optional[bool], what: str) -> Optional[Callable[..., None]]:
    """What is called with how many are done, and of how many; none where nobody looks."""
    if not show:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    shown = None

    def progress(*report: object) -> None:
        nonlocal shown
        done, total = int(report[-2]), int(report[-1])  # type: ignore[call-overload]
        if shown is None:
            shown = tqdm(total=total, desc=what)
        shown.update(done - shown.n)
        if done >= total:
            shown.close()

    return progress
