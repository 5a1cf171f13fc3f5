"""Markdown: amounts, tables, paragraphs of at most 100 columns."""
import textwrap

COLUMNS = 100
NONE = "–"


def amount(value):
    """"1,234,567", "86.4", "0.0123", as the suites print them."""
    if value is None:
        return NONE
    size = abs(value)
    if size >= 1000:
        return "{:,.0f}".format(value)
    decimals = 1 if size >= 100 else 2 if size >= 1 or size == 0 else 4
    told = "%.*f" % (decimals, value)
    return told.rstrip("0").rstrip(".") if "." in told else told


def times(value):
    return NONE if value is None else "x " + amount(value)


def figure(case):
    """A case's figure; * where others disturbed it throughout."""
    if case is None:
        return NONE
    return amount(case.figure) + ("*" if case.disturbed else "")


def limited(value):
    """A limit or a ratio: 0 says that there is none."""
    return amount(value) if value else NONE


def paragraph(text):
    return textwrap.fill(" ".join(text.split()), COLUMNS, break_long_words=False,
                         break_on_hyphens=False)


def bullets(texts):
    return "\n".join(textwrap.fill(" ".join(text.split()), COLUMNS, initial_indent="- ",
                                   subsequent_indent="  ", break_long_words=False,
                                   break_on_hyphens=False) for text in texts)


def table(heads, rows):
    """Columns that are empty in all rows are left out; numbers stand at the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    kept = [at for at in range(len(heads))
            if at == 0 or any(row[at] not in ("", NONE) for row in rows)]
    if not rows:
        return ""
    lines = ["| " + " | ".join(heads[at] for at in kept) + " |",
             "|" + "|".join("---:" if is_number_column(rows, at) else "---" for at in kept) + "|"]
    lines += ["| " + " | ".join(row[at].replace("|", "\\|") for at in kept) + " |" for row in rows]
    return "\n".join(lines)


def is_number_column(rows, at):
    cells = [row[at] for row in rows if row[at] not in ("", NONE)]
    return at > 0 and bool(cells) and all(cell.lstrip("x- ")[:1].isdigit() and
                                          cell.rstrip("* %")[-1:].isdigit() for cell in cells)


PARTS = {
    "embedded": "embedded", "unix": "Unix socket", "tcp": "TCP",
    "one_at_a_time": "one at a time",
    "neighbour:0": "idle machine", "neighbour:1": "beside a busy neighbour",
    "cpus:free": "processes free", "cpus:one": "both on one CPU",
    "check:none": "no condition", "check:version": "exact version",
    "check:unchanged": "`unchanged` on a tag that half of them write",
    "read_everything": "everything", "query:tag": "query for a tag",
    "query:tag_and_type": "query for a tag and a type",
    "append_to_delivery": "append to delivery", "load:0": "at rest",
    "append_beside_readers:2": "append beside two readers of everything",
    "open": "open", "pages:warm": "pages in memory", "pages:cold": "pages forgotten",
    "recovery": "open after a crash", "rebuild_index": "rebuild of the index",
    "append_p99": "append p99", "beside_cold_readers:16": "beside 16 cold readers",
    "while_the_index_commits": "while the index commits",
    "unchanged_at_the_head": "`unchanged`, `after` at the head", "growth": "growth",
    "server_memory": "memory of the server", "after_reads": "after reads",
    "subscribers:100": "100 subscribers", "one_stream": "to one stream",
    "random_streams": "to random streams", "import": "import of a history by esctl",
    "memory_under_import": "memory of the server under an import",
}
UNITS = (("in_flight:", "%s in flight"), ("connections:", "%s connections"),
         ("readers:", "%s readers"), ("data:", "%s B of data"), ("load:", "%s in flight beside"),
         ("events_of_append:", "%s events an append"), ("events:", "%s events an append"),
         ("stream_of:", "streams of %s events"), ("streams:", "%s streams"))


def words(name, without=""):
    """A case's name in words: unix/in_flight:256 is "Unix socket, 256 in flight"."""
    return ", ".join(part_words(part) for part in name[len(without):].split("/"))


def part_words(part):
    if part in PARTS:
        return PARTS[part]
    for begin, text in UNITS:
        if part.startswith(begin):
            count = part[len(begin):]
            told = text % ("{:,}".format(int(count)) if count.isdigit() else count)
            if count == "1":
                for many, one in (("events", "event"), ("streams", "stream"),
                                  ("readers", "reader"), ("connections", "connection")):
                    told = told.replace("1 " + many, "1 " + one)
            return told
    if part.endswith("M") and part[:-1].replace(".", "", 1).isdigit():
        return part[:-1] + " million events"
    return part.replace("_", " ").replace(":", " ")


def case_table(cases, without=""):
    """Everything that was counted of these cases, and what their limits are."""
    rows = [[words(case.name, without), figure(case) + " " + case.unit, limited(case.limit),
             limited(case.ratio), goal_mark(case), amount(case.p50_us), amount(case.p99_us),
             amount(case.p999_us), amount(case.runs), amount(case.discarded),
             ", ".join("%s %s" % (key, amount(value)) for key, value in case.more.items())]
            for case in cases]
    told = table(["case", "figure", "limit", "ratio", "goal", "p50 us", "p99 us", "p99.9 us",
                  "runs", "discarded", "also"], rows)
    limits = list(dict.fromkeys(case.limit_text for case in cases if case.limit_text))
    if limits:
        told += "\n\n" + paragraph("Limit: %s." % "; or: ".join(limits))
    return told


def goal_mark(case):
    return {None: NONE, True: "reached", False: "**not reached**"}[case.is_reached]
