"""Plots: SVG by gnuplot, the same for the same figures, without a trace of where they were made."""
import dataclasses
import os
import pathlib
import shutil
import subprocess

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
BYTES_MAX = 60_000
WIDTH, PLOT, TOP, LEFT, KEY_ROW = 860, 250, 40, 75, 18  # pixels


class PlotFailed(Exception):
    """What gnuplot said."""


@dataclasses.dataclass
class Series:
    name: str
    points: list  # of (x, y)
    colour: int = 0
    dashed: bool = False


@dataclasses.dataclass
class Panel:
    title: str
    x: str
    y: str
    series: list = dataclasses.field(default_factory=list)
    log_x: bool = True
    log_y: bool = True

    def drop_undrawable(self):
        """Noise may make a difference negative, which has no logarithm."""
        for series in self.series:
            series.points = [(x, y) for x, y in series.points if y > 0 or not self.log_y]

    def has_points(self):
        return any(series.points for series in self.series)


@dataclasses.dataclass
class Bars:
    """Groups of bars: rows of (name of the group, one value a series, or None)."""
    title: str
    x: str
    y: str
    names: list
    rows: list
    log_y: bool = True

    def drop_undrawable(self):
        self.rows = [(group, *(value if value and value > 0 else None for value in values))
                     for group, *values in self.rows]

    def longest(self):
        return max(len(group) for group, *_ in self.rows)

    def is_aslant(self):
        return self.longest() > 10

    def has_points(self):
        return any(value for _, *values in self.rows for value in values)


def is_there():
    return shutil.which("gnuplot") is not None


def quoted(text):
    """In single quotes: in double ones gnuplot gives what stands in backticks to a shell."""
    return "'%s'" % text.replace("`", "").replace("'", "''").replace("\n", " ")


class Plots:
    """Draws into a directory; `directory` None: draws nothing."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory) if directory is not None else None
        self.drawn = []
        self.failures = []

    def draw(self, name, says, panels):
        """Markdown that shows the plot, or nothing where it has no points."""
        for panel in panels:
            panel.drop_undrawable()
        panels = [panel for panel in panels if panel.has_points()]
        if self.directory is None or not panels:
            return ""
        try:
            self._gnuplot(name, panels)
        except PlotFailed as failure:
            self.failures.append(str(failure))
            return ""
        self.drawn.append(name + ".svg")
        return "![%s](performance/%s.svg)" % (says, name)

    def _gnuplot(self, name, panels):
        self.directory.mkdir(parents=True, exist_ok=True)
        file = name + ".svg"
        done = subprocess.run(["gnuplot", "-d"], input=script(name, file, panels), text=True,
                              cwd=self.directory, capture_output=True, timeout=60,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})
        path = self.directory / file
        if done.returncode != 0 or not path.exists() or path.stat().st_size == 0:
            said = done.stderr.strip().splitlines() or ["nothing"]
            raise PlotFailed("%s was not drawn; gnuplot said: %s" % (file, said[-1].strip()))
        if path.stat().st_size > BYTES_MAX:
            raise PlotFailed("%s has %d bytes, more than %d" % (file, path.stat().st_size,
                                                                BYTES_MAX))

    def remove_others(self):
        """Plots of an earlier document that this one does not show."""
        for path in self.directory.glob("*.svg") if self.directory else []:
            if path.name not in self.drawn:
                path.unlink()


def names_of(panel):
    return panel.names if isinstance(panel, Bars) else [series.name for series in panel.series
                                                        if series.points]


def key_rows(panel, panels):
    """Of as many columns as there is room for."""
    widest = max(map(len, names_of(panel))) + 8
    return -(-len(names_of(panel)) // max(1, 110 // len(panels) // widest))


def label_height(panel):
    """Pixels between the plot and its key: labels, which lie aslant where they are long."""
    return 60 + (int(3.6 * panel.longest()) if isinstance(panel, Bars) and panel.is_aslant()
                 else 0)


def script(name, file, panels):
    """What gnuplot is to do. Margins are fixed, so that panels are of one size and keys below."""
    below = max(label_height(panel) for panel in panels)
    bottom = below + KEY_ROW * max(key_rows(panel, panels) for panel in panels) + 10
    height = TOP + PLOT + bottom
    lines = [
        "set terminal svg size %d,%d font 'sans-serif,12' background '#ffffff' noenhanced name '%s'"
        % (WIDTH, height, name.replace("-", "_")),
        "set output %s" % quoted(file),
        "set border 3 linecolor '#444444'",
        "set grid ytics linecolor '#cccccc'",
        "set tics nomirror",
        "set multiplot layout 1,%d margins %.4f,%.4f,%.4f,%.4f spacing 0.1"
        % (len(panels), LEFT / WIDTH, 1 - 15 / WIDTH, bottom / height, 1 - TOP / height)]
    for panel in panels:
        lines.append("set key at graph 0.5, %.4f center top Left reverse vertical maxrows %d samplen 2"
                     % (-below / PLOT, key_rows(panel, panels)))
        lines += bars_script(panel) if isinstance(panel, Bars) else panel_script(panel)
    return "\n".join(lines + ["unset multiplot", "unset output", ""])


def axes(values, log_x, log_y):
    lines = ["unset logscale", "set format '%g'", "set xrange [*:*]", "set yrange [*:*]"]
    if log_x:
        lines.append("set logscale x")
    if max(values) >= 1000:
        lines.append("set format y '%.0s%c'")
    lines.append("set logscale y" if log_y else "set yrange [0:*]")
    return lines


def panel_script(panel):
    points = [point for series in panel.series for point in series.points]
    lines = axes([y for _, y in points], panel.log_x, panel.log_y)
    xs = sorted({x for x, _ in points})
    lines += ["set title %s" % quoted(panel.title), "set xlabel %s" % quoted(panel.x),
              "set ylabel %s" % quoted(panel.y), "set style data linespoints",
              "set xtics norotate (%s)" % ", ".join("'%g' %g" % (x, x) for x in xs)]
    if panel.log_x:
        lines.append("set xrange [%g:%g]" % (xs[0] / 1.3, xs[-1] * 1.3))
    plots = []
    for at, series in enumerate(panel.series):
        if not series.points:
            continue
        lines += ["$s%d << END" % at]
        lines += ["%.6g %.6g" % point for point in series.points] + ["END"]
        plots.append("$s%d using 1:2 linecolor '%s' linewidth 1.6 dashtype %d pointtype %d "
                     "pointsize 0.5 title %s"
                     % (at, COLOURS[series.colour % len(COLOURS)], 2 if series.dashed else 1,
                        6 if series.dashed else 7, quoted(series.name)))
    return lines + ["plot " + ", ".join(plots)]


def bars_script(bars):
    lines = axes([v for _, *values in bars.rows for v in values if v], False, bars.log_y)
    lines += ["set title %s" % quoted(bars.title), "set xlabel %s" % quoted(bars.x),
              "set ylabel %s" % quoted(bars.y), "set style data histograms",
              "set style histogram clustered gap 1", "set style fill solid border -1",
              "set boxwidth 0.9", "set datafile missing '-'", "unset xtics",
              "set xtics %s nomirror autofreq" % ("rotate by 30 right" if bars.is_aslant()
                                                  else "norotate"), "$b << END"]
    for group, *values in bars.rows:
        lines.append(" ".join(['"%s"' % group.replace("`", "").replace('"', "")] +
                              ["%.6g" % value if value else "-" for value in values]))
    lines.append("END")
    plots = ["$b using %d%s linecolor '%s' title %s"
             % (at + 2, ":xtic(1)" if at == 0 else "", COLOURS[at % len(COLOURS)], quoted(name))
             for at, name in enumerate(bars.names)]
    return lines + ["plot " + ", ".join(plots)]
