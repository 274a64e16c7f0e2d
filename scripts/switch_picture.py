"""The picture of the switch as SVG, drawn from the transitions: the same bytes each time, no library.

The way forward goes down, the way back stands beside it as one tall box. Transitions of a resumed switch are not drawn one by
one: a frame stands around the phases between which they lead.
"""

from collections.abc import Iterable
from html import escape

from bmswitch.model.switch import TRANSITIONS, Phase, Transition
from bmswitch.model.switch.transitions import FORWARD, GIVEN_UP

_TOP, _PITCH, _LEFT, _WIDE, _HIGH = 62, 66, 300, 150, 38
_BACK_LEFT, _BACK_WIDE = 680, 140
_END_LEFT, _END_WIDE = 930, 120
_ALL_WIDE = 1090
_BIG = 15
_INK, _SOFT, _GO, _TURN, _LOST = "#1f2933", "#627282", "#1b7f4d", "#b45309", "#9b1c31"
_FILL = {"done": "#dff5e8", "aborting": "#fdf0dc", "aborted": "#fdf0dc", "unknown": "#fbe3e6"}
_LINE = {"done": _GO, "aborting": _TURN, "aborted": _TURN, "unknown": _LOST}
_CHAIN: tuple[Phase, ...] = (*FORWARD, "release", "soak", "done")
_FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"


def drawn() -> str:
    """The whole picture."""
    high = _y("done") + _HIGH + 40
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_ALL_WIDE} {high}' width='{_ALL_WIDE}' height='{high}' {_FONT}>",
        "<title>The phases of a switch and what leads from one to the next</title>",
        f"<rect width='{_ALL_WIDE}' height='{high}' rx='12' fill='#ffffff'/>",
        *_heads(),
        *_resumed(),
        *_return(),
        *(part for one in TRANSITIONS for part in _edge(one)),
        *_boxes(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _y(phase: Phase) -> int:
    return _TOP + _PITCH * _CHAIN.index(phase)


def _middle(phase: Phase) -> int:
    return _y(phase) + _HIGH // 2


def _bottom() -> int:
    """Where the tall box of the way back ends."""
    return _y("flip") + _HIGH


def _heads() -> Iterable[str]:
    for name, colour in (("ink", _INK), ("turn", _TURN), ("lost", _LOST), ("go", _GO), ("soft", _SOFT)):
        yield (
            f"<marker id='{name}' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
            f"<path d='M0 0 8 4 0 8z' fill='{colour}'/></marker>"
        )
    for x, words in ((_LEFT + _WIDE // 2, "the way forward"), (_BACK_LEFT + _BACK_WIDE // 2, "the way back")):
        yield _text(x, 34, words, size=_BIG, weight="bold")


def _resumed() -> Iterable[str]:
    """The frame around the phases between which a resumed switch goes to and fro."""
    top, left = _y("flip") - 12, _LEFT - 24
    bottom = _y("soak") + _HIGH + 12
    yield (
        f"<rect x='{left}' y='{top}' width='{_BACK_LEFT + _BACK_WIDE + 24 - left}' height='{bottom - top}' rx='10' fill='#f4f6f8' "
        f"stroke='{_SOFT}' stroke-dasharray='5 4'/>"
    )
    names = sorted({one.name for one in TRANSITIONS if one.after == "flip" and one.before in GIVEN_UP})
    words = f"in the frame: a resumed switch goes to and fro ({', '.join(names)})"
    yield _text(_BACK_LEFT + _BACK_WIDE + 24, bottom + 22, words, anchor="end")


def _return() -> Iterable[str]:
    x, top, bottom = 56, _middle("gate"), _middle("done")
    yield _path(
        f"M{_LEFT} {bottom} H{x + 16} Q{x} {bottom} {x} {bottom - 16} V{top + 16} Q{x} {top} {x + 16} {top} H{_LEFT}",
        "soft",
        dash=True,
    )
    y = (top + bottom) // 2
    words = "bmswitch return: this picture once more, source and target exchanged"
    yield f"<g transform='rotate(-90 {x - 10} {y})'>{_text(x - 10, y, words)}</g>"


def _edge(one: Transition) -> Iterable[str]:
    before, after = one.before, one.after
    if after == "aborting" and before in _CHAIN:
        yield _path(f"M{_LEFT + _WIDE} {_middle(before)} H{_BACK_LEFT}", "turn")
        if before == "gate":
            yield _text((_LEFT + _WIDE + _BACK_LEFT) // 2, _middle(before) - 7, one.name, fill=_TURN)
    elif before in _CHAIN and after in _CHAIN:
        yield from _onward(one)
    elif (before, after) in _SINGLE:
        yield from _SINGLE[before, after](one.name)


def _onward(one: Transition) -> Iterable[str]:
    steps = _CHAIN.index(one.after) - _CHAIN.index(one.before)
    x = _LEFT + _WIDE // 2
    if steps == 1:
        yield _path(f"M{x} {_y(one.before) + _HIGH} V{_y(one.after)}", "ink")
        yield _text(x + 9, _y(one.after) - 10, one.name, anchor="start")
    elif steps > 1 and one.before not in GIVEN_UP and one.before != "flip":
        top, bottom, out = _middle(one.before) + 8, _middle(one.after) - 8, _LEFT - 26 * steps
        yield _path(f"M{_LEFT} {top} C{out} {top} {out} {bottom} {_LEFT} {bottom}", "ink")
        yield _text(_LEFT - 8 - 20 * steps, (top + bottom) // 2 + 4, one.name, anchor="end")


def _aborted(name: str) -> Iterable[str]:
    y = _middle("hold")
    yield _path(f"M{_BACK_LEFT + _BACK_WIDE} {y} H{_END_LEFT}", "turn")
    yield _text((_BACK_LEFT + _BACK_WIDE + _END_LEFT) // 2, y - 7, name, fill=_TURN)


def _frozen(name: str) -> Iterable[str]:
    x = _BACK_LEFT + 45
    yield _path(f"M{x} {_bottom()} V{_y('soak')}", "lost")
    yield _text(x - 8, _y("soak") - 40, name, anchor="end", fill=_LOST)


def _again(name: str) -> Iterable[str]:
    x = _BACK_LEFT + 95
    yield _path(f"M{x} {_y('soak')} V{_bottom()}", "turn")
    yield _text(x + 8, _y("soak") - 40, name, anchor="start", fill=_TURN)


def _too_late(name: str) -> Iterable[str]:
    y = _middle("flip") + 11
    yield _path(f"M{_BACK_LEFT} {y} H{_LEFT + _WIDE}", "go")
    yield _text((_LEFT + _WIDE + _BACK_LEFT) // 2, y + 15, name, fill=_GO)


def _given_up(name: str) -> Iterable[str]:
    y = _middle("soak")
    yield _path(f"M{_LEFT + _WIDE} {y} H{_BACK_LEFT}", "lost")
    yield _text((_LEFT + _WIDE + _BACK_LEFT) // 2, y - 7, name, fill=_LOST)


_SINGLE = {
    ("aborting", "aborted"): _aborted,
    ("aborting", "unknown"): _frozen,
    ("unknown", "aborting"): _again,
    ("aborting", "flip"): _too_late,
    ("soak", "unknown"): _given_up,
}
"""Where an edge beside the main line goes."""


def _boxes() -> Iterable[str]:
    for phase in _CHAIN:
        yield _box(phase, _LEFT, _y(phase), _WIDE, _HIGH)
    yield _box("aborting", _BACK_LEFT, _TOP, _BACK_WIDE, _bottom() - _TOP)
    yield _box("aborted", _END_LEFT, _y("hold"), _END_WIDE, _HIGH)
    yield _box("unknown", _BACK_LEFT, _y("soak"), _BACK_WIDE, _HIGH)


def _box(phase: Phase, x: int, y: int, wide: int, high: int) -> str:
    line, fill = _LINE.get(phase, "#3b6ea5"), _FILL.get(phase, "#e8f1fa")
    rect = f"<rect x='{x}' y='{y}' width='{wide}' height='{high}' rx='8' fill='{fill}' stroke='{line}' stroke-width='1.5'/>"
    return rect + _text(x + wide // 2, y + high // 2 + 5, phase, size=_BIG, weight="bold", fill=_INK)


def _path(way: str, head: str, *, dash: bool = False) -> str:
    colour = {"ink": _INK, "turn": _TURN, "lost": _LOST, "go": _GO, "soft": _SOFT}[head]
    dashed = " stroke-dasharray='5 4'" if dash else ""
    return f"<path d='{way}' fill='none' stroke='{colour}' stroke-width='1.4'{dashed} marker-end='url(#{head})'/>"


def _text(
    x: int,
    y: int,
    words: str,
    *,
    size: int = 12,
    weight: str = "normal",
    anchor: str = "middle",
    fill: str = _SOFT,
) -> str:
    style = f"font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' fill='{fill}'"
    style += (
        " paint-order='stroke' stroke='#ffffff' stroke-width='4' stroke-linejoin='round'"
        if size < _BIG
        else ""
    )
    return f"<text x='{x}' y='{y}' {style}>{escape(words)}</text>"
