"""What bench/report reads: the suites' JSON, and the conditions it kept beside them."""
import json
import math
import pathlib

SUITES = ("limits", "engine", "server", "size", "index")
CONDITIONS = "conditions.json"
OF_EVERY_CASE = ("figure", "limit", "ratio", "goal", "reached", "p50_us", "p99_us", "p999_us",
                 "max_us", "runs", "discarded", "disturbed", "others")
# What Google Benchmark tells of a case beside its counters.
NO_COUNTERS = ("family_index", "per_family_instance_index", "repetitions", "repetition_index",
               "threads", "iterations", "real_time", "cpu_time")


class Case:
    """One case of a suite: its counters, and what its label says they mean."""

    def __init__(self, told):
        self.name = told["name"].split("/iterations:")[0]
        self.why_left_out = told.get("error_message") if told.get("error_occurred") else None
        self.counters = {key: float(value) for key, value in told.items()
                         if isinstance(value, (int, float)) and not isinstance(value, bool)
                         and key not in NO_COUNTERS and math.isfinite(value)}
        parts = told.get("label", "").split("; ")
        self.unit = parts[0].split(", ")[0]
        self.better = "lower" if "lower is better" in parts[0] else "higher"
        self.limit_text = self._told(parts, "limit: ")
        self.goal_text = self._told(parts, "goal: ")

    @staticmethod
    def _told(parts, what):
        for part in parts:
            if part.startswith(what) and part != what + "none":
                return part[len(what):]
        return ""

    def __getattr__(self, name):  # figure, ratio, p99_us...: None where it was not counted
        if name.startswith("__"):
            raise AttributeError(name)
        return self.counters.get(name)

    @property
    def is_measured(self):
        return self.why_left_out is None and "figure" in self.counters

    @property
    def is_reached(self):
        """None without a goal."""
        reached = self.counters.get("reached")
        return None if reached is None else reached != 0

    @property
    def more(self):
        return {key: value for key, value in self.counters.items() if key not in OF_EVERY_CASE}


class Results:
    """All that a directory of results holds. What was asked for is remembered: sections tell of
    cases by name, what they found and what was not there."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.failures = []  # texts
        self.conditions = self._read(directory / CONDITIONS) or {}
        self.documents = {}
        for suite in SUITES:
            document = self._read(directory / (suite + ".json"))
            if document is not None:
                self.documents[suite] = document
        self.limits = {one["name"]: one
                       for one in self.documents.get("limits", {}).get("limits", [])}
        self.cases = {}
        for suite in ("engine", "server", "size"):
            for told in self.documents.get(suite, {}).get("benchmarks", []):
                case = Case(told)
                self.cases[case.name] = case
        self.index = [Case(told) for told in self.documents.get("index", {}).get("benchmarks", [])]
        self.used = set()
        self.missing = []

    def _read(self, path):
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as failure:
            self.failures.append("%s is no JSON (%s): it counts as not there"
                                 % (path.name, str(failure)))
            return None

    def case(self, name):
        """The case, or None where it was not measured, which is remembered."""
        self.used.add(name)
        case = self.cases.get(name)
        if case is not None and case.is_measured:
            return case
        if name not in self.missing:
            self.missing.append(name)
        return None

    def value(self, name, counter="figure"):
        case = self.case(name)
        return case.counters.get(counter) if case else None

    def below(self, prefix):
        """The measured cases whose names begin so, in the order of the run."""
        found = [case for name, case in self.cases.items()
                 if name.startswith(prefix) and case.is_measured]
        self.used.update(case.name for case in found)
        return found

    def why_missing(self, name):
        case = self.cases.get(name)
        return case.why_left_out if case is not None and case.why_left_out else "not in the results"

    def untold(self):
        return [case for name, case in self.cases.items() if name not in self.used]

    def sizes(self):
        """Millions of events, as the names of cases tell them, in order."""
        sizes = {name.split("M/")[0] for name in self.cases if "M/" in name}
        return sorted((size for size in sizes if size.replace(".", "", 1).isdigit()), key=float)

    def scales(self):
        """The scales of the suites that say theirs, and of those that conditions tell of."""
        scales = {float(document["context"]["scale"]) for document in self.documents.values()
                  if "scale" in document.get("context", {})}
        scales |= {float(suite["scale"]) for suite in self.conditions.get("suites", {}).values()
                   if "scale" in suite}
        return sorted(scales)

    def is_measurement(self):
        return bool(self.scales()) and min(self.scales()) >= 1
