"""Plots: SVG by gnuplot, the same for the same figures, without a trace of where they were made."""
import dataclasses
import pathlib
import shutil
import subprocess

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
BYTES_MAX = 60_000
WIDTH = 860


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

    def has_points(self):
        return any(series.points for series in self.series)


@dataclasses.dataclass
class Bars:
    """Groups of bars: rows of (name of the group, one value a series, or None)."""
    title: str
    y: str
    names: list
    rows: list
    log_y: bool = True

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

    def draw(self, name, says, panels, height=400):
        """Markdown that shows the plot, or nothing where it has no points."""
        panels = [panel for panel in panels if panel.has_points()]
        if self.directory is None or not panels:
            return ""
        try:
            self._gnuplot(name, panels, height)
        except PlotFailed as failure:
            self.failures.append(str(failure))
            return ""
        self.drawn.append(name + ".svg")
        return "![%s](performance/%s.svg)" % (says, name)

    def _gnuplot(self, name, panels, height):
        self.directory.mkdir(parents=True, exist_ok=True)
        file = name + ".svg"
        done = subprocess.run(["gnuplot"], input=script(name, file, panels, height), text=True,
                              cwd=self.directory, capture_output=True, timeout=60)
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


def script(name, file, panels, height):
    lines = [
        'set terminal svg size %d,%d font "sans-serif,12" background "#ffffff" noenhanced name %s'
        % (WIDTH, height, quoted(name.replace("-", "_"))),
        "set output %s" % quoted(file),
        'set border 3 linecolor "#444444"',
        'set grid ytics linecolor "#dddddd"',
        "set tics nomirror",
        "set key below horizontal maxrows 6 samplen 2",
        "set multiplot layout 1,%d" % len(panels)]
    for panel in panels:
        lines += bars_script(panel) if isinstance(panel, Bars) else panel_script(panel)
    return "\n".join(lines + ["unset multiplot", "unset output", ""])


def axes(log_x, log_y):
    lines = ["unset logscale", 'set format "%g"', "set xrange [*:*]", "set yrange [*:*]"]
    if log_x:
        lines.append("set logscale x")
    lines += ["set logscale y", 'set format y "%.0s%c"'] if log_y else ["set yrange [0:*]"]
    return lines


def panel_script(panel):
    lines = axes(panel.log_x, panel.log_y)
    xs = sorted({x for series in panel.series for x, _ in series.points})
    lines += ["set title %s" % quoted(panel.title), "set xlabel %s" % quoted(panel.x),
              "set ylabel %s" % quoted(panel.y), "set style data linespoints",
              "set xtics norotate autofreq",
              "set xtics (%s)" % ", ".join('"%g" %g' % (x, x) for x in xs)]
    if panel.log_x:
        lines.append("set xrange [%g:%g]" % (xs[0] / 1.3, xs[-1] * 1.3))
    plots = []
    for at, series in enumerate(panel.series):
        if not series.points:
            continue
        lines += ["$s%d << END" % at]
        lines += ["%.6g %.6g" % point for point in series.points] + ["END"]
        plots.append('$s%d using 1:2 linecolor "%s" linewidth 1.6 dashtype %d pointtype %d '
                     "pointsize 0.5 title %s"
                     % (at, COLOURS[series.colour % len(COLOURS)], 2 if series.dashed else 1,
                        6 if series.dashed else 7, quoted(series.name)))
    return lines + ["plot " + ", ".join(plots)]


def bars_script(bars):
    lines = axes(False, bars.log_y)
    lines += ["set title %s" % quoted(bars.title), "unset xlabel",
              "set ylabel %s" % quoted(bars.y), "set style data histograms",
              "set style histogram clustered gap 1", "set style fill solid border -1",
              "set boxwidth 0.9", "set datafile missing '-'", "unset xtics",
              "set xtics rotate by -20 nomirror autofreq", "$b << END"]
    for group, *values in bars.rows:
        lines.append(" ".join(['"%s"' % group.replace("`", "").replace('"', "")] + ["%.6g" % v if v else "-" for v in values]))
    lines.append("END")
    plots = ['$b using %d%s linecolor "%s" title %s'
             % (at + 2, ":xtic(1)" if at == 0 else "", COLOURS[at % len(COLOURS)], quoted(name))
             for at, name in enumerate(bars.names)]
    return lines + ["plot " + ", ".join(plots)]
