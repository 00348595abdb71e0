"""The overlay on the page: a small map for each layer that lies under the change, and a line for each piece."""

from collections.abc import Sequence
from typing import Any

import shapely

from cases.show import mu
from evidence.overlay import Holds, Overlay, Piece
from reports.map_sheet import Square, square_about
from reports.words import Words

MOST_MAPS, MOST_LINES = 12, 40
FINE = 1 / 1500
"""Details finer than this part of a map's side are not drawn."""


def overlay_sheet(overlay: Overlay | None, why: str, words: Words) -> dict[str, Any]:
    """What case.typ draws; `why`: there is none."""
    if overlay is None:
        return {"why": why, "maps": [], "lines": [], "nothing": "", "more": "", "known": ""}
    label = words.label
    by_layer = {name: [p for p in overlay.pieces if p.layer == name] for name in overlay.titles}
    met = {name: pieces for name, pieces in by_layer.items() if pieces}
    square = square_about(overlay.outline.bounds)
    nothing = [title for name, title in overlay.titles.items() if name not in met]
    maps = [_map(overlay, pieces, square, words) for pieces in met.values()]
    lines = [_line(piece, words) for pieces in met.values() for piece in pieces]
    more = []
    if len(maps) > MOST_MAPS:
        more.append(label("overlay_more_maps", shown=MOST_MAPS, all=len(maps)))
    if len(lines) > MOST_LINES:
        more.append(label("overlay_more", shown=MOST_LINES, all=len(lines)))
    return {
        "why": "",
        "maps": maps[:MOST_MAPS],
        "lines": lines[:MOST_LINES],
        "nothing": label("overlay_nothing", layers=label("between").join(nothing)) if nothing else "",
        "more": " ".join(more),
        "known": label("overlay_known", at=f"{overlay.as_of:%Y-%m-%d}"),
    }


def _drawn(shape: shapely.Geometry, square: Square) -> tuple[list[Any], list[Any]]:
    """Rings of its polygons, and its lines; points are in the list only."""
    rings, lines = [], []
    for part in shapely.get_parts(shapely.simplify(shape, square.side * FINE)):
        if part.geom_type == "Polygon" and not part.is_empty:
            rings += [_at(ring, square) for ring in (part.exterior, *part.interiors)]
        elif part.geom_type in ("LineString", "LinearRing") and not part.is_empty:
            lines.append(_at(part, square))
    return rings, lines


def _at(line: shapely.LineString, square: Square) -> list[list[float]]:
    return [[round(part, 5) for part in square.at(x, y)] for x, y in shapely.get_coordinates(line)]


def _map(overlay: Overlay, pieces: Sequence[Piece], square: Square, words: Words) -> dict[str, Any]:
    """A layer's pieces within the outline; what holds is drawn last, over what does not."""
    drawn = [
        dict(zip(("rings", "lines"), _drawn(piece.shape, square), strict=True)) | {"holds": piece.holds.value}
        for piece in sorted(pieces, key=lambda piece: piece.holds == Holds.EVERY_DAY)
    ]
    return {
        "outline": _drawn(overlay.outline, square)[0],
        "pieces": drawn,
        "title": pieces[0].title,
        "said": _sum(overlay, pieces, words),
    }


def _sum(overlay: Overlay, pieces: Sequence[Piece], words: Words) -> str:
    """How much of the change the pieces that hold cover; they may lie over each other, so areas are not added."""
    held = [piece for piece in pieces if piece.holds == Holds.EVERY_DAY]
    if not any(piece.area_m2 for piece in pieces):
        length = sum(piece.length_m for piece in pieces)
        return words.label("overlay_length", m=f"{length:,.1f}") if length else words.label("overlay_point")
    covered, share = _covered(overlay, held)
    said = words.label("overlay_share", mu=f"{covered:,.2f}", share=f"{share:.1%}")
    if len(held) == len(pieces):
        return said
    rest, _ = _covered(overlay, [piece for piece in pieces if piece.holds != Holds.EVERY_DAY])
    return said + words.label("overlay_rest", mu=f"{rest:,.2f}")


def _covered(overlay: Overlay, pieces: Sequence[Piece]) -> tuple[float, float]:
    """亩 of the change that pieces cover, and which part of it; in a place so small degrees are as good as metres."""
    area = shapely.union_all([piece.shape for piece in pieces]).area if pieces else 0.0
    share = area / overlay.outline.area if overlay.outline.area else 0.0
    return mu(share * overlay.area_m2), share


def _line(piece: Piece, words: Words) -> list[str]:
    days = [f"{day:%Y-%m-%d}" if day else "…" for day in (piece.valid_from, piece.valid_to)]
    dated = piece.valid_from or piece.valid_to
    return [
        piece.title,
        piece.number or words.label("none"),
        piece.land_class or "",
        words.label("until").join(days) if dated else "",
        words.label(f"holds_{piece.holds.value}"),
        f"{piece.area_m2:,.2f}" if piece.area_m2 or not piece.length_m else f"{piece.length_m:,.1f} m",
        f"{mu(piece.area_m2):,.2f}" if piece.area_m2 else "",
    ]
