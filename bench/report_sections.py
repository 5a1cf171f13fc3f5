"""The sections that tell of one kind of work each: tables and plots of what the suites measured."""
from report_plots import Bars, Panel, Series
from report_text import (NONE, amount, case_table, figure, limited, paragraph, table, times, words)

SITES = ("embedded", "unix", "tcp")
SITE_WORDS = {"embedded": "embedded", "unix": "Unix socket", "tcp": "TCP"}
EVENTS = (1, 10, 100, 512)
CALLERS = (1, 4, 16, 64, 256)
LOADS = ((256, "none"), (256, "version"), (4096, "none"))
LOAD_WORDS = {(256, "none"): "256 B", (256, "version"): "256 B, exact version",
              (4096, "none"): "4 KiB"}


def append_name(site, events, callers, data, check):
    return "%s/append/events:%d/in_flight:%d/data:%d/check:%s" % (site, events, callers, data, check)


def append_table(results, site):
    heads = ["events of an append", "in flight"]
    for load in LOADS:
        heads += [LOAD_WORDS[load] + ": events/s", "ratio", "p50 us", "p99 us"]
    rows = []
    for events in EVENTS:
        for callers in CALLERS:
            row = [str(events), str(callers)]
            for data, check in LOADS:
                case = results.case(append_name(site, events, callers, data, check))
                row += [figure(case), limited(case.ratio), amount(case.p50_us),
                        amount(case.p99_us)] if case else [NONE] * 4
            rows.append(row)
    return table(heads, rows)


def over_callers(results, site, load, counter, dashed=False, says=""):
    told = []
    for at, events in enumerate(EVENTS):
        points = []
        for callers in CALLERS:
            value = results.value(append_name(site, events, callers, *load), counter)
            if value:
                points.append((callers, value))
        name = "%d event%s%s" % (events, "" if events == 1 else "s", says)
        told.append(Series(name, points, at, dashed))
    return told


def append_plots(results, plots, site):
    here = SITE_WORDS[site]
    throughput = [
        Panel("256 B", "in flight", "events/s",
              over_callers(results, site, LOADS[0], "figure") +
              over_callers(results, site, LOADS[1], "figure", True, ", version")),
        Panel("4 KiB", "in flight", "events/s", over_callers(results, site, LOADS[2], "figure"))]
    latency = [
        Panel(title, "in flight", "us",
              over_callers(results, site, load, "p50_us", False, ", p50") +
              over_callers(results, site, load, "p99_us", True, ", p99"))
        for title, load in (("256 B", LOADS[0]), ("4 KiB", LOADS[2]))]
    return [plots.draw("append-" + site, "Events a second over appends in flight, " + here,
                       throughput),
            plots.draw("append-latency-" + site, "p50 and p99 over appends in flight, " + here,
                       latency)]


def appending(results, plots, site):
    return [append_table(results, site), *append_plots(results, plots, site)]


def tabled(results, site, *kinds):
    cases = [case for kind in kinds for case in results.below("%s/%s" % (site, kind))]
    return case_table(cases, site + "/") if cases else ""


def embedded_appends(results, plots):
    return [
        paragraph("In this process, without a server. So many appends are in flight at a time; "
                  "p50 and p99 are of single appends, from the call to the answer that they are "
                  "durable. Exact version: each append names the version its stream must have."),
        *appending(results, plots, "embedded"),
        paragraph("One caller that waits for each answer; many in flight; 512 events an append; "
                  "appends while two readers read everything."),
        tabled(results, "embedded", "one_at_a_time", "in_flight", "bulk",
               "append_beside_readers"),
        paragraph("In bulk, 512 events an append, into a new store until it holds so many: until "
                  "the last append is answered, and until the index on disk has the last event."),
        by_size(results, [("bulk/one_stream", "figure"),
                          ("bulk/one_stream", "until_indexed_per_s"),
                          ("bulk/one_stream", "ratio"), ("bulk/random_streams", "figure"),
                          ("bulk/random_streams", "until_indexed_per_s"),
                          ("bulk/random_streams", "ratio")],
                ["one stream events/s", "until indexed events/s", "ratio",
                 "random streams events/s", "until indexed events/s", "ratio"])]


def served(results, plots):
    told = [paragraph("esdb-server in a process of its own, on the same machine as its clients; "
                      "one connection, unless a case names more.")]
    for site in ("unix", "tcp"):
        told += ["### " + SITE_WORDS[site], *appending(results, plots, site),
                 tabled(results, site, "one_at_a_time", "in_flight", "connections", "bulk",
                        "append_beside_readers", "import", "memory_under_import")]
    imported = tabled(results, "embedded", "import")
    return told + ([paragraph("The import, embedded:"), imported] if imported else [])


READS = ("read_everything", "stream_of:10/readers:1", "stream_of:10/in_flight:64",
         "stream_of:10/readers:16", "stream_of:1000/readers:1", "stream_of:1000/in_flight:16",
         "query:tag/readers:1", "query:tag/in_flight:16", "query:tag/readers:16",
         "query:tag_and_type/readers:1", "query:tag_and_type/in_flight:16",
         "query:tag_and_type/readers:16")
EMBEDDED_ONLY = "/readers:16"


def read_case(results, site, kind):
    if kind.endswith(EMBEDDED_ONLY) and site != "embedded":
        return None  # one connection is one reader
    return results.case(site + "/" + kind)


def events_per_second(case):
    if case is None:
        return None
    return case.figure if case.unit == "events/s" else case.counters.get("events_per_s")


def warm_reads(results):
    heads = ["what is read"]
    for site in SITES:
        heads += [SITE_WORDS[site], "ratio", "p50 us", "p99 us"]
    rows = []
    for kind in READS:
        cases = [read_case(results, site, kind) for site in SITES]
        unit = next((case.unit for case in cases if case), "")
        row = [words(kind) + (" (%s)" % unit if unit else "")]
        for case in cases:
            row += [figure(case), limited(case.ratio), amount(case.p50_us),
                    amount(case.p99_us)] if case else [NONE] * 4
        rows.append(row)
    return table(heads, rows)


def read_plot(results, plots):
    rows = [(words(kind), *(events_per_second(read_case(results, site, kind)) for site in SITES))
            for kind in READS if not kind.endswith(EMBEDDED_ONLY)]
    return plots.draw("reading", "Events a second that reads deliver, warm",
                      [Bars("warm reads", "", "events/s", [SITE_WORDS[site] for site in SITES], rows)])


def reading(results, plots):
    told = [paragraph("Everything: the whole store from its beginning. A stream is read whole; a "
                      "query for a tag finds some events that lie apart. Warm: memory holds what "
                      "is read. The limit of everything is the same bytes out of the page cache, "
                      "that of the others as many random reads of 4 KiB out of it as events: an "
                      "event is smaller, so a ratio may be above 1."),
            warm_reads(results), read_plot(results, plots)]
    sizes = results.sizes()
    cold = [case for size in sizes for case in results.below(size + "M/cold/")]
    told += ["### Cold", paragraph(
        "A control group bounds the memory of the process that reads, its page cache included, to "
        "a tenth of the store and what it needs itself: of a large store, nearly every event comes "
        "from the device.")]
    if cold:
        told.append(case_table(cold))
    for size in sizes or ("50",):
        name = size + "M/cold/query:tag/readers:16"
        if results.case(name) is None:
            told.append(paragraph("%s: not measured, %s." % (words(name),
                                                             results.why_missing(name))))
    beside = [case for size in sizes for case in results.below(size + "M/append_p99/beside_cold")]
    return told + ([paragraph("Appends meanwhile:"), case_table(beside)] if beside else [])


LOADS_BESIDE = (0, 16, 256)


def delivery(results, plots):
    rows, series = [], []
    for at, site in enumerate(SITES):
        p50, p99 = [], []
        for load in LOADS_BESIDE:
            case = results.case("%s/append_to_delivery/load:%d" % (site, load))
            if case is None:
                rows.append([SITE_WORDS[site], str(load)] + [NONE] * 7)
                continue
            rows.append([SITE_WORDS[site], str(load), figure(case), amount(case.p99_us),
                         amount(case.p999_us), amount(case.limit),
                         amount(case.counters.get("append_p99_us")),
                         amount(case.counters.get("beyond_append_us")),
                         amount(case.counters.get("load_per_s"))])
            p50.append((str(load), case.figure))
            p99.append((str(load), case.p99_us))
        series.append((SITE_WORDS[site], dict(p50), dict(p99)))
    panels = [Bars(title, "appends in flight beside", "us", [name for name, *_ in series],
                   [(str(load), *(one[at].get(str(load)) for one in series))
                    for load in LOADS_BESIDE])
              for at, title in ((1, "p50"), (2, "p99"))]
    return [
        paragraph("From the call of an append of one event until a live subscriber has it in its "
                  "hands, at rest and while others append. An event is delivered only when it is "
                  "durable; the append's own answer, measured in the same run, stands beside."),
        table(["site", "in flight beside", "p50 us", "p99 us", "p99.9 us", "append p50 us",
               "append p99 us", "beyond the append us", "events/s beside"], rows),
        plots.draw("delivery", "Append to delivery, p50 and p99", panels)]


GROWING = ("bulk/one_stream", "bulk/random_streams", "warm/stream/readers:1",
           "warm/stream/readers:16", "warm/query:tag/readers:1", "warm/query:tag/readers:16",
           "warm/query:tag_and_type/readers:1", "warm/query:tag_and_type/readers:16",
           "cold/query:tag/readers:16", "rebuild_index", "append/one_at_a_time",
           "append_p99/while_the_index_commits", "append_p99/beside_cold_readers:16",
           "check/unchanged_at_the_head", "open/pages:warm", "open/pages:cold", "recovery",
           "server_memory/after_reads", "server_memory/subscribers:100")


def growth(results, plots):
    sizes = results.sizes()
    if not sizes:
        return [paragraph("Not measured: there are no results of esdb_size_bench.")]
    heads = ["figure"] + ["%s million" % size for size in sizes]
    heads += ["%s to %s million" % (sizes[0], size) for size in sizes[1:]] + ["better"]
    rows, series = [], {"higher": [], "lower": []}
    for name in GROWING:
        cases = [results.case("%sM/%s" % (size, name)) for size in sizes]
        known = next((case for case in cases if case), None)
        first = cases[0].figure if cases[0] else None
        grown = [case.figure / first if case and first else None for case in cases]
        rows.append([words(name) + (" (%s)" % known.unit if known else "")] +
                    [figure(case) for case in cases] + [times(value) for value in grown[1:]] +
                    [known.better if known else NONE])
        if known:
            points = [(float(size), value) for size, value in zip(sizes, grown) if value]
            told = series[known.better]
            told.append(Series(words(name), points, len(told), len(told) > 6))
    panels = [Panel("%s is better" % better, "million events", "relative to %s million" % sizes[0],
                    told) for better, told in series.items()] if len(sizes) > 1 else []
    return [
        paragraph("Each figure at %s million events in the store, and relative to the smallest: "
                  "x 1 is no growth. The streams are a tenth as many as the events, a hundred "
                  "events share a tag." % ", ".join(sizes)),
        table(heads, rows),
        plots.draw("growth", "Each figure relative to the smallest size", panels),
        paragraph("The same cases in full:"),
        case_table([case for size in sizes for kind in ("warm/", "append/", "append_p99/while",
                                                        "check/")
                    for case in results.below("%sM/%s" % (size, kind))])]


def by_size(results, names, heads):
    """A row for each size, of (name of the case, counter, head)."""
    rows = []
    for size in results.sizes():
        row = [size]
        for name, counter in names:
            case = results.case("%sM/%s" % (size, name))
            row.append(NONE if case is None else figure(case) if counter == "figure"
                       else amount(case.counters.get(counter)))
        rows.append(row)
    return table(["million events"] + heads, rows)


def opening(results, plots):
    names = (("open/pages:warm", "figure"), ("open/pages:warm", "open_s"),
             ("open/pages:cold", "figure"), ("recovery", "figure"), ("rebuild_index", "figure"),
             ("rebuild_index", "seconds"))
    sizes = results.sizes()
    points = [Series(words(name), [(float(size), value) for size in sizes if
                                   (value := results.value("%sM/%s" % (size, name)))], at)
              for at, name in enumerate(("open/pages:warm", "open/pages:cold", "recovery"))]
    return [
        paragraph("A store is open when its first conditional append is answered and its first "
                  "selective read; `opened` is the return of the call alone. Pages forgotten: "
                  "nothing of the store is in memory. After a crash: the process was killed "
                  "while it wrote. The rebuild is of the whole index, out of the log."),
        by_size(results, names,
                ["open, pages in memory s", "opened s", "open, pages forgotten s",
                 "open after a crash s", "rebuild events/s", "rebuild s"]),
        plots.draw("opening", "Seconds to open, over events in the store",
                   [Panel("until the first append and read", "million events", "s", points,
                          log_y=False)])]


def space(results, plots):
    disk, one = "disk/events_of_append:512", "disk/events_of_append:1/in_flight:256"
    return [
        paragraph("Events of 256 B of data, a stream of 40 B, a type of 17 B and one tag. Blocks "
                  "that are prepared for the log but hold nothing yet count, which weighs in a "
                  "small store."),
        by_size(results, [(disk, "figure"), (disk, "log_bytes_per_event"),
                          (disk, "index_bytes_per_event"), (one, "figure"),
                          (one, "log_bytes_per_event"), (one, "index_bytes_per_event")],
                ["512 events an append: B/B of data", "log B/event", "index B/event",
                 "1 event an append: B/B of data", "log B/event", "index B/event"]),
        paragraph("Anonymous memory of the server: after selective reads, and the most while 100 "
                  "subscribers follow appends to random streams."),
        by_size(results, [("server_memory/after_reads", "figure"),
                          ("server_memory/after_reads", "MiB_per_million"),
                          ("server_memory/subscribers:100", "figure"),
                          ("server_memory/subscribers:100", "appends_per_s"),
                          ("server_memory/subscribers:100", "delivered_per_s")],
                ["after reads MiB", "MiB a million events", "100 subscribers MiB", "appends/s",
                 "delivered events/s"])]


def index_alone(results, plots):
    if not results.index:
        return [paragraph("Not measured: there are no results of esdb_index_bench.")]
    rows = []
    for case in results.index:
        if case.why_left_out:
            continue
        own = case.name.endswith(":1")
        rows.append(["one of its own for each event" if own else "shared"] +
                    [amount(case.counters.get(key)) for key in
                     ("fill_per_s", "commit_per_s", "tail_bytes", "disk_bytes", "head_us",
                      "seek_us")])
    return [paragraph("Events into the index in memory and from there into the file, without a "
                      "log; then lookups of the head of a stream, and of a position near the end "
                      "of a long list."),
            table(["tags", "into memory events/s", "into the file events/s", "memory B/event",
                   "file B/event", "head us", "position us"], rows)]
