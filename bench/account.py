"""Where the instructions of an operation of ours go: function by function, for
bench/run. The compiler puts nearly all of the headers' functions in line; the
line an instruction belongs to says which of them it came from. A macro's
instructions, so those of await and async_begin, are in the line that uses it."""

import concurrent.futures
import os
import re
import subprocess
import tempfile

from programs import CORES, OUT, ROOT
import programs

SOURCE = "bench/peers/ours.c"
WORKLOADS = "yield1 depth8 call spawn gather pingpong stream timers".split()
PARTS = {"timers": "arm cancel expire".split()}
HALF = "cancel expire".split()  # of the operations
LEAST = 2  # instructions: a function that takes less in all columns has no row


def functions_of(path):
    """The name of the function that each line is in, from line 1 on."""
    names, name, heading = [], "", ""
    for line in programs.read(path).splitlines():
        if line[:1].isalpha() or line[:2] == "__":
            called = re.findall(r"(\w+)\(", line.replace("__attribute__((", ""))
            heading = called[0] if called else ""
        if line == "{":
            name = heading
        names.append(name)
        if line == "}":
            name = ""
    return names


def lines_of(part):
    """{(file, line): instructions} of one part that callgrind wrote."""
    files, costs, file, line, skip = {}, {}, "", 0, False
    with open(part, errors="replace") as text:
        for row in text:
            named = re.match(r"(c?f[lie])=\((\d+)\)(?: (.*))?", row)
            if named:
                key, number, name = named.groups()
                if name:
                    files[number] = name
                file = files[number] if key[0] == "f" else file
                continue
            if row.startswith("calls="):
                skip = True  # the next row is what was spent in there
                continue
            cost = re.match(r"(\+|-)?(\d+|\*) (\d+)$", row)
            if cost:
                sign, position, spent = cost.groups()
                if position != "*":
                    line = line + int(position) * (1 if sign == "+" else -1) if sign else int(position)
                if not skip:
                    costs[file, line] = costs.get((file, line), 0) + int(spent)
                skip = False
    return costs


def measured(program, workload, count):
    """[{(file, line): instructions}] of the measured parts; see bench/regions.c."""
    with tempfile.TemporaryDirectory() as directory:
        parts = os.path.join(directory, "part")
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={parts}", program, workload,
                               str(count)], cwd=ROOT, env={**os.environ, "LD_PRELOAD": os.path.join(ROOT, OUT, "regions")},
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            return []
        return [lines_of(f"{parts}.{part}") for part in range(2, len(os.listdir(directory)), 2)]


def name_of(file, line, names):
    """(where, function): ours by name, all else by what it is."""
    path = os.path.relpath(file, ROOT) if os.path.isabs(file) else file
    if path.startswith("async") and path.endswith(".h") or path == SOURCE:
        if path not in names:
            names[path] = functions_of(path)
        if path != SOURCE:
            return path, names[path][line - 1] if 0 < line <= len(names[path]) else ""
        return "the program", "its functions, with the macros they use"
    return "elsewhere", "the C library"


def rows(counts, failures):
    """The table, its head first. counts: {workload: operations}."""
    program = f"{OUT}/ours-debug"
    command = programs.head(SOURCE, "build").replace("-O2", "-O2 -g")
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env={**os.environ, "OUT": program})
    if done.returncode != 0:
        failures.append("account: ours does not build with -g")
        return [["header", "function"]]
    runs = [(workload, times * counts[workload]) for workload in WORKLOADS for times in (1, 2)]
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        results = dict(zip(runs, pool.map(lambda run: measured(program, *run), runs)))
    columns, spent, names = [], {}, {}
    for workload in WORKLOADS:
        parts = PARTS.get(workload, [workload])
        count = counts[workload]
        once, twice = (results[workload, times * count][-len(parts):] for times in (1, 2))
        if len(once) != len(parts) or len(twice) != len(parts):
            failures.append(f"account: {workload} fails under valgrind")
            continue
        for part, low, high in zip(parts, once, twice):
            columns.append(part if part == workload else f"{workload}: {part}")
            for place in {*low, *high}:
                more = high.get(place, 0) - low.get(place, 0)
                cell = name_of(*place, names), columns[-1]
                spent[cell] = spent.get(cell, 0) + more / (count / 2 if part in HALF else count)
    places = sorted({place for place, _ in spent}, key=lambda place: (
        "the program async.h async_task.h async_loop.h async_timer.h async_gather.h elsewhere".find(place[0]), place))
    table = [["in", "function", *columns]]
    for place in places:
        cells = [spent.get((place, column), 0) for column in columns]
        if max(cells) >= LEAST:
            table.append([*place, *(f"{cell:.0f}" if cell >= 0.5 else "" for cell in cells)])
    totals = [sum(spent.get((place, column), 0) for place in places) for column in columns]
    return [*table, ["all", "", *(f"{total:.0f}" for total in totals)]]
