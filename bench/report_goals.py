"""The project's goals, each beside the case that measures it: reached or not."""
from report_text import (amount, bullets, figure, limited, paragraph, table, words)

# What, and the cases that show it. {50} is the size the goal is told for, in millions: where that
# was not measured, the nearest smaller one stands for it, or else the smallest.
GOALS = (
    ("embedded, one caller, one event", ("embedded/one_at_a_time/neighbour:0",
                                         "embedded/one_at_a_time/neighbour:1")),
    ("embedded, many in flight, one event each, version checked",
     ("embedded/in_flight:256/neighbour:0", "embedded/in_flight:1024/neighbour:0")),
    ("embedded bulk, 512 events an append, one stream", ("{50}M/bulk/one_stream",)),
    ("embedded bulk, random streams", ("{10}M/bulk/random_streams",)),
    ("server, Unix socket, one client, one in flight",
     ("unix/one_at_a_time/neighbour:0/cpus:free", "unix/one_at_a_time/neighbour:0/cpus:one",
      "unix/one_at_a_time/neighbour:1/cpus:free")),
    ("server, one connection", ("unix/in_flight:256/neighbour:0",)),
    ("server, 64 connections, half of them on `unchanged`",
     ("unix/connections:64/events:1/in_flight:1/data:256/check:unchanged",)),
    ("server, 64 connections, 512 events, conditional",
     ("unix/connections:64/events:512/in_flight:1/data:256/check:version",)),
    ("read everything, one reader", ("unix/read_everything", "embedded/read_everything")),
    ("streams of 10 events, warm: one thread, one connection",
     ("embedded/stream_of:10/readers:1", "unix/stream_of:10/in_flight:64")),
    ("selective query, cold, 16 readers", ("{50}M/cold/query:tag/readers:16",)),
    ("append to delivery, at rest", ("embedded/append_to_delivery/load:0",
                                     "unix/append_to_delivery/load:0")),
    ("open and rebuild", ("{50}M/open/pages:warm", "{50}M/open/pages:cold", "{50}M/recovery",
                          "{50}M/rebuild_index")),
    ("disk, log and index, for a byte of data",
     ("{50}M/disk/events_of_append:512", "{50}M/disk/events_of_append:1/in_flight:256")),
    ("append p99 while 16 readers read cold", ("{50}M/append_p99/beside_cold_readers:16",)),
    ("append p99 while the index commits", ("{50}M/append_p99/while_the_index_commits",)),
    ("conditional check at the head", ("{1}M/check/unchanged_at_the_head",
                                       "{50}M/check/unchanged_at_the_head",
                                       "{50}M/check/growth")),
    ("memory of the server", ("{50}M/server_memory/subscribers:100",)),
)


# What a goal asks to be told beside its figure.
BESIDE = (("conflicts_per_s", "%s conflicts/s, which the figure does not count."),
          ("until_indexed_per_s", "%s events/s until the index on disk has the last of them, the "
                                  "wait for its last commit included."))


def sized(name, sizes):
    """The name at the size that was measured, and a note where that is not the one wanted."""
    if not name.startswith("{"):
        return name, ""
    wanted, rest = name[1:].split("}", 1)
    if not sizes or wanted in sizes:
        return wanted + rest, ""
    below = [size for size in sizes if float(size) <= float(wanted)]
    size = below[-1] if below else sizes[0]
    return size + rest, " (the goal is told for %s million)" % wanted


def rows_of(results):
    """What, name, note and case (None: not measured) of each."""
    for what, names in GOALS:
        for name, note in dict.fromkeys(sized(name, results.sizes()) for name in names):
            yield what, name, note, results.case(name)


def is_missed(case):
    return case is not None and case.is_reached is False


def sentence(what, name, note, case):
    text = "**%s** (%s)%s: %s %s" % (what, words(name), note, figure(case), case.unit)
    if case.limit:
        text += ", limit %s, ratio %s" % (limited(case.limit), limited(case.ratio))
    return text + ". The goal is %s." % case.goal_text


def section(results):
    rows = list(rows_of(results))
    missed = [row for row in rows if is_missed(row[3])]
    unknown = [row for row in rows if row[3] is None]
    measured = [row for row in rows if row[3] is not None and row[3].is_reached is not None]
    told = []
    if missed:
        told += [paragraph("**Not reached: %d of the %d figures that have a goal and were "
                           "measured.**" % (len(missed), len(measured))),
                 bullets(sentence(*row) for row in missed)]
    elif measured:
        told.append(paragraph("Every goal that was measured is reached: %d figures."
                              % len(measured)))
    if unknown:
        told += [paragraph("**Not measured: %d.**" % len(unknown)),
                 bullets("%s (%s): %s." % (what, words(name), results.why_missing(name))
                         for what, name, _, _ in unknown)]
    told.append(table(
        ["what", "case", "figure", "limit", "ratio", "goal", ""],
        [[what, words(name) + note, "%s %s" % (figure(case), case.unit) if case else "–",
          limited(case.limit) if case else "–", limited(case.ratio) if case else "–",
          case.goal_text if case else "–", verdict(case)] for what, name, note, case in rows]))
    notes = ["%s: %s" % (words(name), text % amount(case.counters[counter]))
             for _, name, _, case in rows for counter, text in BESIDE
             if case is not None and counter in case.counters]
    return told + ([bullets(notes)] if notes else [])


def verdict(case):
    if case is None:
        return "not measured"
    if case.is_reached is None:
        return "no goal in the suite"
    return "reached" if case.is_reached else "**not reached**"
