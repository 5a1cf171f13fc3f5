"""Runs the suites on the disk that is measured, and keeps what they tell and in which conditions."""
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from report_results import CONDITIONS, SUITES

PROGRAMS = {suite: "esdb_limits" if suite == "limits" else "esdb_%s_bench" % suite
            for suite in SUITES}
GB = 10**9
QUICK_SCALE = "0.002"  # what bench/ calls a smoke run
STOP_SECONDS = 30


class Refused(Exception):
    """Nothing was run, and why: what the user can do about it."""


def say(text):
    print("report: " + text, file=sys.stderr, flush=True)


class Plan:
    """What to run: suites, programs, where, how much."""

    def __init__(self, root, build, directory, results, suites, scale, millions, again):
        self.root = pathlib.Path(root)
        self.build = pathlib.Path(build).resolve()
        self.directory = pathlib.Path(directory).resolve()
        self.results = pathlib.Path(results).resolve()
        self.suites = suites
        self.scale = scale
        self.millions = millions
        self.again = again

    def file(self, suite):
        return self.results / (suite + ".json")

    def amount(self, suite):
        """What a kept result must have been made with, to be taken for this run's."""
        told = {"scale": float(self.scale)}
        return {**told, "millions": self.millions} if suite == "size" else told

    def disk_bytes(self, suites):
        """The suites' stores, at their largest: two of a size lie beside each other."""
        largest = max((float(size) for size in self.millions.split(",")), default=0)
        scale = float(self.scale)
        needed = {"size": max(10, 1.2 * largest), "limits": 3, "index": 2}
        # What is prepared ahead does not get smaller with the scale.
        return int(max([max(2, needed.get(suite, 10) * scale) for suite in suites],
                       default=0) * GB)


def read_conditions(plan):
    try:
        return json.loads((plan.results / CONDITIONS).read_text())
    except (OSError, json.JSONDecodeError):
        return {"suites": {}}


def write_whole(path, text):
    """A reader, and a later run, sees the file as it was or as it is."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def to_run(plan, conditions):
    """The suites whose results are not there yet."""
    suites = []
    for suite in plan.suites:
        kept = conditions["suites"].get(suite, {})
        if plan.again or not plan.file(suite).exists() or kept.get("failure"):
            suites.append(suite)
            continue
        was = {key: kept.get(key) for key in plan.amount(suite)}
        if was != plan.amount(suite):
            raise Refused(
                "%s was made with %s, not with %s.\nKeep it, with --results ANOTHER_DIRECTORY, or "
                "measure again, with --again." % (plan.file(suite), was, plan.amount(suite)))
        say("%s: kept, %s; --again measures it again" % (suite, plan.file(suite)))
    return suites


def check(plan, suites):
    """Whether all that is to be run can be, before an hour is spent."""
    missing = [PROGRAMS[suite] for suite in suites
               if not os.access(plan.build / PROGRAMS[suite], os.X_OK)]
    if missing:
        raise Refused("not in %s: %s.\nBuild them, in %s:\n  scripts/build\nor name the directory "
                      "that holds them: --build DIR" % (plan.build, ", ".join(missing), plan.root))
    if not plan.directory.is_dir():
        raise Refused("%s is no directory to measure in." % plan.directory)
    needed, free = plan.disk_bytes(suites), shutil.disk_usage(plan.directory).free
    if free < needed:
        raise Refused(
            "%s has %.1f GB free; %s with %s million events need %.1f GB.\nMeasure elsewhere, with "
            "--directory DIR, or less, with --millions 1,10." % (
                plan.directory, free / GB, ", ".join(suites), plan.millions, needed / GB))
    kind = build_type(plan)
    if kind not in ("Release", "RelWithDebInfo"):
        say("the programs in %s are a build of kind %s: figures want Release" % (plan.build, kind))


def build_type(plan):
    for directory in (plan.build, plan.build.parent):
        try:
            for line in (directory / "CMakeCache.txt").read_text().splitlines():
                if line.startswith("CMAKE_BUILD_TYPE:"):
                    return line.split("=", 1)[1]
        except OSError:
            pass
    return "unknown"


def commit(root):
    def git(*arguments):
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    name = git("rev-parse", "--short=12", "HEAD")
    # What this program writes is no change of what it measures.
    changed = git("status", "--porcelain", "-uno", "--", ".", ":!docs")
    return name + (" with changes" if changed else "") if name else ""


def proc_lines(name):
    try:
        return pathlib.Path("/proc/" + name).read_text().splitlines()
    except OSError:
        return []


def processor():
    told = {}
    for line in proc_lines("cpuinfo"):
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    name = told.get("model name", platform.machine())
    return name + (", in a virtual machine" if "hypervisor" in told.get("flags", "").split()
                   else "")


def memory():
    for line in proc_lines("meminfo"):
        if line.startswith("MemTotal:"):
            return "%.1f GiB" % (int(line.split()[1]) / 2**20)
    return ""


def filesystem(directory):
    """The kind of the mount that holds the directory; no names."""
    best, kind = "", ""
    for line in proc_lines("self/mountinfo"):
        mount, _, rest = line.partition(" - ")
        point = mount.split()[4]
        inside = str(directory) == point or str(directory).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, rest.split()[0]
    return kind


def conditions_of(plan, suite):
    return {**plan.amount(suite), "commit": commit(plan.root), "processor": processor(),
            "processors": len(os.sched_getaffinity(0)), "memory": memory(),
            "kernel": "%s %s" % (platform.system(), platform.release()),
            "filesystem": filesystem(plan.directory), "build": build_type(plan),
            "begun": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}


def run_program(plan, suite, scratch, part):
    """The program's answer. It is stopped with this one, and so are the servers it started."""
    command = [str(plan.build / PROGRAMS[suite])]
    output = None
    if suite == "limits":
        command.append("--json")
        output = open(part, "w")
    else:
        command += ["--benchmark_out=%s" % part, "--benchmark_out_format=json"]
    environment = {**os.environ, "ESDB_BENCH_SCALE": plan.scale,
                   "ESDB_BENCH_MILLIONS": plan.millions}
    process = subprocess.Popen(command, cwd=scratch, env=environment, stdout=output,
                               start_new_session=True)
    try:
        return process.wait()
    finally:
        if output:
            output.close()
        if process.returncode != 0:
            stop(process)


def stop(process):
    """The program and what it started: they are a process group of their own."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(STOP_SECONDS)
            time.sleep(0.2)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def is_json(path):
    try:
        json.loads(path.read_text())
        return True
    except (OSError, ValueError):
        return False


def run_suite(plan, suite, conditions):
    """False: it failed; what it measured before that is kept."""
    say("%s: runs" % suite)
    told = conditions_of(plan, suite)
    part = plan.results / (suite + ".json.part")
    begin = time.monotonic()
    try:
        # What an interrupted program leaves behind goes with this directory.
        with tempfile.TemporaryDirectory(prefix="esdb-report-", dir=plan.directory) as scratch:
            answer = run_program(plan, suite, scratch, part)
        told["seconds"] = round(time.monotonic() - begin, 1)
        sound = is_json(part)
        if sound:
            part.replace(plan.file(suite))
    finally:
        part.unlink(missing_ok=True)
    if answer != 0 or not sound:
        ended = ("ended with %d" % answer if answer > 0 else
                 "was killed by signal %d" % -answer if answer < 0 else "ended well")
        told["failure"] = "%s %s%s" % (PROGRAMS[suite], ended,
                                       "" if sound else " and left no whole JSON")
        say("%s: FAILED, %s" % (suite, told["failure"]))
    conditions["suites"][suite] = told
    write_whole(plan.results / CONDITIONS, json.dumps(conditions, indent=1) + "\n")
    return "failure" not in told


def run(plan):
    """The suites that failed."""
    plan.results.mkdir(parents=True, exist_ok=True)
    conditions = read_conditions(plan)
    suites = to_run(plan, conditions)
    check(plan, suites)
    # Ended, this program ends what it runs and removes what that leaves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return [suite for suite in suites if not run_suite(plan, suite, conditions)]
