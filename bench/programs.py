"""The programs of bench/peers: finds, builds and calls them, for bench/run.

A program says in its head comment how it is built and of which packages. Called
as PROGRAM WORKLOAD COUNT it prints lines METRIC VALUE UNIT; it exits with 77
where the workload makes no sense for it, with 1 and a message where its result
is wrong. A peer's other ways to do a workload are workloads of its program too:
those named in its text like "polled-yield1" or "timers-heap". Its server for the
echo workloads may be a program of its own, echo-PEER, called with echo PORT.
Its remote calls are a program of their own, remote-PEER: see bench/remote.h."""

import concurrent.futures
import contextlib
import os
import platform
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = "build/bench"
CORES = os.cpu_count() or 1
LIMIT = 300  # seconds a run may take
PATH = os.environ.get("PATH", "") + ":/usr/sbin"  # where Debian has servers


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def say(text):
    progress("")
    print(text, flush=True)


def read(path):
    with open(os.path.join(ROOT, path), errors="replace") as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(os.path.join(ROOT, path)), exist_ok=True)
    with open(os.path.join(ROOT, path), "w") as file:
        file.write(text)


def head(source, key):
    """What the head comment says after KEY: in a line of its own."""
    line = re.search(rf"^[ \t*/#]*{key}:[ \t]*(.*)$", read(source), re.MULTILINE)
    return line.group(1).strip() if line else ""


def sources_of(choice):
    """{program: source}; ours and the limit first."""
    files = sorted(file for file in os.listdir(os.path.join(ROOT, "bench/peers")) if file[0] != ".")
    sources = {os.path.splitext(file)[0]: f"bench/peers/{file}" for file in files}
    ours = [prefix + name for prefix in ("", "echo-", "remote-") for name in ("ours", "limit")]
    first = [name for name in ours if name in sources]
    rest = [name for name in sources if name not in first] if choice != "none" else []
    return {name: sources[name] for name in first + rest}


def missing_packages(source):
    """Those not installed; none where there is no dpkg to ask."""
    names = head(source, "packages").replace(",", " ").split()
    if not names or not shutil.which("dpkg-query"):
        return []
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\\n", *names],
                            capture_output=True, text=True).stdout.splitlines()
    here = [line.split()[-1] for line in listed if line.startswith("ii")]
    return [name for name in names if name not in here]


def install(packages):
    script = 'root=$1 sudo=$2; shift 2; . "$root/tools/packages.sh"; apt_install "$@"'
    sudo = "" if os.geteuid() == 0 else "sudo"
    return subprocess.run(["sh", "-c", script, "sh", ROOT, sudo, *packages]).returncode == 0


def is_fresh(source, command, out):
    """Nothing it is made of is newer."""
    sources = [source, *(word for word in command.split() if os.path.isfile(os.path.join(ROOT, word)))]
    for folder in (".", "adapters", "bench"):  # it may include any header
        here = os.path.join(ROOT, folder)
        sources += [f"{folder}/{file}" for file in os.listdir(here) if file.endswith(".h")] if os.path.isdir(here) else []
    return os.path.exists(out) and os.path.getmtime(out) > max(
        os.path.getmtime(os.path.join(ROOT, file)) for file in sources)


def build(name, source):
    """Returns what the compiler said against it, or None."""
    out = os.path.join(ROOT, OUT, name)
    command = head(source, "build")
    if not command:
        return f"{source} has no line 'build: ...' in its head comment"
    if is_fresh(source, command, out):
        return None
    if os.path.exists(out):
        os.remove(out)
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env={**os.environ, "OUT": f"{OUT}/{name}"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if done.returncode == 0 and os.access(out, os.X_OK):
        return None
    return "does not build: " + "\n".join(done.stdout.strip().splitlines()[-15:])


def build_all(sources, options, failures):
    """Builds them side by side; returns the names of those that are there."""
    os.makedirs(os.path.join(ROOT, OUT), exist_ok=True)
    lacking = {name: missing_packages(source) for name, source in sources.items()}
    wanted = sorted({package for packages in lacking.values() for package in packages})
    if wanted and options.peers == "all" and not options.no_install and shutil.which("apt-get"):
        if not install(wanted):
            failures.append("apt-get could not install " + " ".join(wanted))
        lacking = {name: missing_packages(source) for name, source in sources.items()}
    there = [name for name in sources if not lacking[name]]
    for name in sources:
        if lacking[name]:
            say(f"{name}: not here (apt-get install {' '.join(lacking[name])})")
    progress("building " + " ".join(there))
    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        problems = dict(zip(there, pool.map(lambda name: build(name, sources[name]), there)))
    for name, problem in problems.items():
        packages = head(sources[name], "packages")
        if problem and packages and not shutil.which("dpkg-query"):
            say(f"{name}: not here (on Debian it needs {packages})")
        elif problem:
            failures.append(f"{name}: {problem}")
    return [name for name in there if not problems[name]]


def is_of(kind, name):
    """Whether the program is of that kind of workloads: it may build what no
    other needs."""
    return name.startswith("remote-") == (kind == "remote")


def commands(workload, kind, sources, there):
    """{peer: PROGRAM and WORKLOAD to call it by}, other ways included."""
    found = {}
    for name in there:
        if name.startswith("echo-") or not is_of(kind, name):
            continue
        if kind == "echo":
            found[name] = [f"{OUT}/{'echo-' + name if 'echo-' + name in there else name}", "echo"]
            continue
        peer = name.removeprefix("remote-")
        found[peer] = [f"{OUT}/{name}", workload]
        for other in re.findall(rf'"((?:[a-z]+-)?{workload}(?:-[a-z]+)?)"', read(sources[name])):
            if other != workload:
                found[f"{peer} {other.replace(workload, '').strip('-')}"] = [f"{OUT}/{name}", other]
    return found


def first_line(command):
    said = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True).stdout
    return (said.strip().splitlines() or [""])[0]


def machine(sources):
    """What the figures depend on, in one line."""
    model = platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        model = (re.findall(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.MULTILINE) or [model])[0]
    parts = [model, f"{CORES} cores", f"{platform.system()} {platform.release()}", first_line("cc --version")]
    parts += [first_line(head(source, "version")) for source in sources]
    return "; ".join(dict.fromkeys(part for part in parts if part))


def call(command):
    """Its metrics as {(metric, unit): value}, and what went wrong. Neither of
    them if it does not do this."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return None, f"took more than {LIMIT} s"
    if done.returncode == 77:
        return None, None
    if done.returncode != 0:
        how = f"exit {done.returncode}" if done.returncode > 0 else signal.Signals(-done.returncode).name
        return None, f"{done.stderr.strip() or 'says nothing'} ({how})"
    metrics = {}
    for line in done.stdout.splitlines():
        said = re.fullmatch(r"(\S+) (-?[0-9.]+) (\S.*)", line)
        if not said:
            return None, f"prints no METRIC VALUE UNIT: {line}"
        metrics[said.group(1), said.group(3)] = float(said.group(2))
    return (metrics, None) if metrics else (None, "prints nothing")


def firmware():
    """What tools/firmware --tsv prints, and what went wrong."""
    try:
        done = subprocess.run(["tools/firmware", "--tsv"], cwd=ROOT, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "", f"took more than {LIMIT} s"
    return done.stdout, done.stderr.strip() or "does not compile" if done.returncode else None


def pinned(core, command):
    return ["taskset", "-c", str(core), *command] if CORES > 1 and shutil.which("taskset") else command


def accepts(port, server):
    """Waits until the server does, for 10 s at most."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        if server.poll() is not None:
            return False
        time.sleep(0.05)
    return False


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextlib.contextmanager
def started(command, said, errors=None):
    """A process that is ended with the block."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said,
                               stderr=errors or said, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def no_service(process, said):
    """What call returns if a server does not serve."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1)
    said.seek(0)
    return None, f"does not serve: {said.read(500).strip()} (exit {process.poll()})"


def call_echo(command, connections, requests):
    """Like call: the server on core 0, and echo-load, which asks it, on core 1."""
    port = free_port()
    with tempfile.TemporaryFile("w+") as said, started(pinned(0, [*command, port]), said) as server:
        if accepts(int(port), server):
            return call(pinned(1, [f"{OUT}/echo-load", port, connections, requests, str(server.pid)]))
        return (None, None) if server.poll() == 77 else no_service(server, said)


def nats_server():
    return shutil.which("nats-server", path=PATH)


def call_remote(command, count, is_serial):
    """Like call: a NATS server, a worker and a caller; one call after the other
    all on one core."""
    port = free_port()
    place = (lambda command: pinned(0, command)) if is_serial else list
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryFile("w+") as said, \
         started(place([nats_server(), "-a", "127.0.0.1", "-p", port]), log) as server:
        if not accepts(int(port), server):
            return no_service(server, log)
        with started(place([*command, "worker", port]), subprocess.PIPE, said) as worker, worker.stdout:
            if not select.select([worker.stdout], [], [], 10)[0] or not worker.stdout.readline():
                return no_service(worker, said)
            return call(place([*command, "caller", port, count, str(worker.pid), str(server.pid)]))


def counted(command, count):
    """The instructions of each measured part, in order; see bench/regions.c. Kept
    until the program is built anew: they would be the same."""
    program, workload = command
    kept = os.path.join(ROOT, OUT, "counted", f"{os.path.basename(program)}-{workload}-{count}")
    regions = os.path.join(ROOT, OUT, "regions")
    made = max(os.path.getmtime(os.path.join(ROOT, file)) for file in (program, regions))
    if os.path.exists(kept) and os.path.getmtime(kept) > made:
        return list(map(int, read(kept).split()))
    with tempfile.TemporaryDirectory() as directory:
        parts = os.path.join(directory, "part")
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={parts}", *command, str(count)],
                              cwd=ROOT, env={**os.environ, "LD_PRELOAD": regions},
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            return None
        even = range(2, len(os.listdir(directory)), 2)
        counts = [int(re.search(r"^totals: (\d+)", read(f"{parts}.{part}"), re.MULTILINE).group(1)) for part in even]
    os.makedirs(os.path.dirname(kept), exist_ok=True)
    write(kept, " ".join(map(str, counts)))
    return counts
