"""The engine's figures as a table and a chart."""

from pathlib import Path
from typing import Any


def ratios(row: dict[str, Any]) -> dict[str, float]:
    """Windows and whole run against the lower of the two roofs; windows against what both leave of the same cores.

    Where decoding and looking share their cores, a megapixel takes the time of both: that roof is their harmonic sum.
    """
    decode, detector = row["roofs"]["decode"], row["roofs"]["detector"]
    lower, shared = min(decode, detector), 1 / (1 / decode + 1 / detector)
    windows, whole = row["run"]["detect_mpx_per_s"], row["run"]["total_mpx_per_s"]
    return {
        "windows / roof": windows / lower,
        "windows / shared": windows / shared,
        "whole / roof": whole / lower,
    }


def summary(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| detector | side | decode | detector | windows | whole run | windows / roof | windows / shared "
        "| whole / roof | peak MiB |",
        "|--|--|--|--|--|--|--|--|--|--|",
    ]
    for row in found["engine"]:
        ran = row["run"]
        roofs = row.get("roofs")
        roof = [f"{roofs[name]:.1f}" for name in ("decode", "detector")] if roofs else ["–", "–"]
        share = [f"{value:.2f}" for value in ratios(row).values()] if roofs else ["–"] * 3
        figures = [f"{ran['detect_mpx_per_s']:.1f}", f"{ran['total_mpx_per_s']:.1f}", *share]
        cells = [row["detector"], f"{row['side']:,}²", *roof, *figures, f"{ran['peak_rss_mib']:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    for name, took in found.get("polygons", {}).items():
        lines.append(
            f"{name}: {took['seconds']:.1f} s, {took['polygons']:,} polygons, {took['peak_rss_mib']:,.0f} MiB"
        )
    for detector, took in found.get("workers", {}).items():
        lines.append(f"{detector}: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()))
    return "\n".join(lines) + "\n"


def chart(found: dict[str, Any], path: Path) -> None:
    """Seconds by step for each run, and rates against the roofs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5.5), constrained_layout=True)
    rows = found["engine"]
    names = [f"{row['detector']} {row['side'] // 1000}k²" for row in rows]
    steps = list(dict.fromkeys(step for row in rows for step in row["run"]["seconds"]))
    base = [0.0] * len(rows)
    colors = plt.get_cmap("tab10")
    for number, step in enumerate(steps):
        per = [1000 * row["run"]["seconds"].get(step, 0.0) / row["run"]["megapixels"] for row in rows]
        left.barh(names, per, left=base, label=step, color=colors(number))
        base = [b + p for b, p in zip(base, per, strict=True)]
    left.set(xlabel="ms a megapixel of pairs", title="Where the time goes")
    left.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    measured = [row for row in rows if "roofs" in row]
    places = range(len(measured))
    bars = {
        "decode roof": [row["roofs"]["decode"] for row in measured],
        "detector roof": [row["roofs"]["detector"] for row in measured],
        "windows": [row["run"]["detect_mpx_per_s"] for row in measured],
        "whole run": [row["run"]["total_mpx_per_s"] for row in measured],
    }
    for number, (name, values) in enumerate(bars.items()):
        right.bar([p + 0.2 * number for p in places], values, 0.2, label=name)
    right.set_xticks([p + 0.3 for p in places], [f"{r['detector']}\n{r['side'] // 1000}k²" for r in measured])
    right.set(yscale="log", ylabel="Mpx of pairs a second", title="Rates and their roofs")
    right.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=4, frameon=False)
    for side in (left, right):
        side.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{found['machine']['cpu']}, {found['machine']['cores']} cores")
    figure.savefig(path, dpi=110)
    plt.close(figure)
