"""Bars where they are wanted and tqdm is there."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional


def _tqdm(show: Optional[bool]) -> Any:
    if not show:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def bar(show: Optional[bool], what: str) -> Optional[Callable[..., None]]:
    """What is called with how many are done, and of how many, perhaps behind what it is; none
    where nobody looks. One bar follows another."""
    tqdm = _tqdm(show)
    if tqdm is None:
        return None
    shown: Any = None

    def progress(*report: Any) -> None:
        nonlocal shown
        done, total = report[-2], report[-1]
        if shown is None:
            shown = tqdm(total=total or None, desc=report[0] if len(report) == 3 else what)
        shown.update(done - shown.n)
        if total and done >= total:
            shown.close()
            shown = None

    return progress


def steps(show: Optional[bool]) -> Optional[Callable[[Dict[str, Any]], None]]:
    """The same of the events of a training."""
    tqdm = _tqdm(show)
    if tqdm is None:
        return None
    other = bar(show, "")
    shown: Any = None

    def event(event: Dict[str, Any]) -> None:
        nonlocal shown
        kind = event["event"]
        if kind == "progress" and other is not None:
            other(event["what"], event["done"], event["total"])
        elif kind == "stage":
            shown = tqdm(total=event["steps"], initial=event["step"], desc=event["stage"])
        elif kind == "step" and shown is not None:
            shown.update(event["step"] - shown.n)
            shown.set_postfix(loss=f"{event['loss']:.4f}")
        elif kind in ("evaluated", "note", "warning"):
            tqdm.write(event["words"] if kind == "evaluated" else event["message"])
        if shown is not None and (kind == "end" or shown.n >= shown.total):
            shown.close()
            shown = None

    return event
