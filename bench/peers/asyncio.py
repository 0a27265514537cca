#!/usr/bin/python3 -I
"""asyncio.py: the workloads in Python, on asyncio.
SPDX-License-Identifier: MIT

The standard library only, so no uvloop. Fastest sane settings: the default
selector loop (epoll), debug off, Python without -X options. A step costs
microseconds here, so COUNT is divided by SCALE's number for the workloads in
it, and the figures an operation are those of what was run; sleep and skynet,
which print totals, run all of COUNT.

timers: virtual time, by a loop whose time() is a variable; call_at and cancel,
then 1 ms an iteration. call: an awaited coroutine, no task. pingpong: two
queues of capacity 1, there and back. offload: run_in_executor on a
ThreadPoolExecutor of two, 1000 coroutines that each await one job after the
other. pi: the same in threads, which the interpreter's lock lets run one at a
time; a part has 20,000 points here. echo: a Protocol, which is faster than
streams.

    asyncio WORKLOAD COUNT, or: asyncio echo PORT

Called as a script of this name it must run isolated (-I, as the first line
says), or `import asyncio` would find this file.

     build: cp bench/peers/asyncio.py $OUT && chmod +x $OUT
     packages: python3
     version: /usr/bin/python3 -I --version
"""

import asyncio
import concurrent.futures
import math
import socket
import sys
import time

SCALE = {
    "yield1": 10, "yield1000": 10, "depth1": 10, "depth8": 10, "depth32": 10,
    "spawn": 10, "offload1": 4, "offload": 20, "pingpong": 10, "stream": 10,
}
TICK = 0.001
POINTS = 20_000
MASK = (1 << 64) - 1


# ---- measuring -----------------------------------------------------------------

class Stopwatch:
    def __init__(self):
        self.cpu = time.process_time_ns()
        self.wall = time.perf_counter_ns()

    def wall_ns(self):
        return time.perf_counter_ns() - self.wall

    def show(self, count, unit="ns", divisor=1):
        wall = self.wall_ns()
        cpu = time.process_time_ns() - self.cpu
        print(f"time {wall / count / divisor:.2f} {unit}")
        print(f"cpu {cpu / count / divisor:.2f} {unit}")


def check(what, is_, should):
    if is_ != should:
        sys.exit(f"asyncio: {what}: {is_}, should be {should}")


def rss():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024


def sum_to(count):
    return count * (count - 1) // 2


# ---- yields and calls ------------------------------------------------------------

async def yields(count):
    done = 0
    for _ in range(count):
        await asyncio.sleep(0)
        done += 1
    return done


async def yield_tasks(tasks, count):
    await yields(1000)
    each = count // tasks
    watch = Stopwatch()
    done = sum(await asyncio.gather(*(yields(each) for _ in range(tasks))))
    check("yields", done, each * tasks)
    watch.show(done)


async def level(depth, count):
    if depth == 1:
        return await yields(count)
    return await level(depth - 1, count)


async def depth(levels, count):
    await yields(1000)
    watch = Stopwatch()
    # the leaf is one of the levels
    done = await (yields(count) if levels == 1 else level(levels - 1, count))
    check("yields", done, count)
    watch.show(count)


async def plus_one(x):
    return x + 1


async def call(count):
    watch = Stopwatch()
    total = 0
    for i in range(count):
        total += await plus_one(i)
    check("sum", total, sum_to(count) + count)
    watch.show(count)


# ---- tasks -----------------------------------------------------------------------

async def number(i):
    return i


async def spawn(count):
    watch = Stopwatch()
    total = 0
    for i in range(count):
        total += await asyncio.create_task(number(i))
    check("sum", total, sum_to(count))
    watch.show(count)


async def sleep(count):
    first = None
    armed = 0

    async def sleeper():
        nonlocal first, armed
        if first is None:
            first = time.perf_counter()
        armed += 1
        await asyncio.sleep(1)
        return 1

    before = rss()
    watch = Stopwatch()
    tasks = [asyncio.create_task(sleeper()) for _ in range(count)]
    while armed < count:
        await asyncio.sleep(0)
    memory = rss() - before
    done = 0
    for task in tasks:
        done += await task
    beyond = (time.perf_counter() - first) * 1e3 - 1000
    check("sleepers", done, count)
    print(f"memory {memory / count:.1f} B")
    print(f"beyond {beyond:.1f} ms")
    print(f"cpu {(time.process_time_ns() - watch.cpu) / 1e6:.1f} ms")


class VirtualLoop(asyncio.SelectorEventLoop):
    now = 0.0

    def time(self):
        return self.now


async def timers(count):
    loop = asyncio.get_running_loop()
    expired = 0

    def expire():
        nonlocal expired
        expired += 1

    x = 88172645463325252
    deadlines = []
    for _ in range(count):
        x ^= x << 13 & MASK
        x ^= x >> 7
        x ^= x << 17 & MASK
        deadlines.append(x % 10000 * TICK)

    watch = Stopwatch()
    handles = [loop.call_at(deadline, expire) for deadline in deadlines]
    arm = watch.wall_ns()

    watch = Stopwatch()
    for handle in handles[1::2]:
        handle.cancel()
    cancel = watch.wall_ns()

    watch = Stopwatch()
    for tick in range(10001):
        loop.now = tick * TICK
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    took = watch.wall_ns()
    check("timers over", expired, (count + 1) // 2)
    print(f"arm {arm / count:.2f} ns")
    print(f"cancel {cancel / (count // 2):.2f} ns")
    print(f"expire {took / expired:.2f} ns")


async def yielding_child(i):
    await asyncio.sleep(0)
    return i


async def gather(count):
    watch = Stopwatch()
    results = await asyncio.gather(*(yielding_child(i) for i in range(count)))
    check("sum", sum(results), sum_to(count))
    watch.show(count)


async def node(first, size):
    if size == 1:
        return first
    size //= 10
    return sum(await asyncio.gather(
        *(node(first + i * size, size) for i in range(10))))


async def skynet(count):
    check("COUNT, a power of ten", count, 10 ** (len(str(count)) - 1))
    watch = Stopwatch()
    check("sum", await asyncio.create_task(node(0, count)), sum_to(count))
    watch.show(1, "ms", 1e6)


# ---- blocking calls ----------------------------------------------------------------

def empty():
    return 1


async def offload1(count):
    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(100):
            await loop.run_in_executor(pool, empty)
        watch = Stopwatch()
        done = 0
        for _ in range(count):
            done += await loop.run_in_executor(pool, empty)
        check("jobs", done, count)
        watch.show(count)


async def offload(count):
    loop = asyncio.get_running_loop()
    left = iter(range(count))

    async def carrier(pool):
        done = 0
        for _ in left:
            done += await loop.run_in_executor(pool, empty)
        return done

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        watch = Stopwatch()
        done = sum(await asyncio.gather(
            *(carrier(pool) for _ in range(min(count, 1000)))))
        check("jobs", done, count)
        watch.show(count)


def pi_part(part):
    x = part + 1  # xorshift64*
    inside = 0
    for _ in range(POINTS):
        x ^= x >> 12
        x ^= x << 25 & MASK
        x ^= x >> 27
        bits = x * 2685821657736338717 & MASK
        a, b = bits >> 33, bits & 0x7FFFFFFF
        inside += a * a + b * b < 1 << 62
    return inside


async def pi(parts):
    loop = asyncio.get_running_loop()
    watch = Stopwatch()
    sequence = sum(map(pi_part, range(parts)))
    alone = watch.wall_ns()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        watch = Stopwatch()
        inside = sum(await asyncio.gather(
            *(loop.run_in_executor(pool, pi_part, i) for i in range(parts))))
        workers = watch.wall_ns()
    check("points inside", inside, sequence)
    check("pi is near",
          abs(4 * inside / (parts * POINTS) - math.pi) < 0.05, True)
    print(f"speedup {alone / workers:.3f} x")


# ---- queues ------------------------------------------------------------------------

async def pingpong(count):
    rounds = count // 2
    there, back = asyncio.Queue(1), asyncio.Queue(1)

    async def echo():
        for _ in range(rounds):
            await back.put(await there.get() + 1)

    watch = Stopwatch()
    task = asyncio.create_task(echo())
    value = 0
    for _ in range(rounds):
        await there.put(value + 1)
        value = await back.get()
    await task
    check("value", value, 2 * rounds)
    watch.show(2 * rounds)


async def stream(count):
    queue = asyncio.Queue(64)

    async def produce():
        for i in range(count):
            await queue.put(i)

    watch = Stopwatch()
    task = asyncio.create_task(produce())
    total = 0
    for _ in range(count):
        total += await queue.get()
    await task
    check("sum", total, sum_to(count))
    watch.show(count)


# ---- echo --------------------------------------------------------------------------

class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.transport.write(data)


async def echo(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


WORKLOADS = {
    "yield1": lambda count: yield_tasks(1, count),
    "yield1000": lambda count: yield_tasks(1000, count),
    "depth1": lambda count: depth(1, count),
    "depth8": lambda count: depth(8, count),
    "depth32": lambda count: depth(32, count),
    "call": call,
    "spawn": spawn,
    "sleep": sleep,
    "gather": gather,
    "timers": timers,
    "offload1": offload1,
    "offload": offload,
    "pi": pi,
    "pingpong": pingpong,
    "stream": stream,
    "skynet": skynet,
    "echo": echo,
}


def main():
    if len(sys.argv) != 3 or not sys.argv[2].isdigit() or int(sys.argv[2]) < 1:
        print("usage: asyncio WORKLOAD COUNT, or: asyncio echo PORT",
              file=sys.stderr)
        sys.exit(2)
    name, count = sys.argv[1], int(sys.argv[2])
    if name not in WORKLOADS:
        print(f"asyncio: no workload {name}", file=sys.stderr)
        sys.exit(2)
    divisor = SCALE.get(name, 1)
    count = max(count // divisor, min(count, 1000))
    if name == "timers":
        loop = VirtualLoop()
        loop.run_until_complete(timers(count))
        loop.close()
    else:
        asyncio.run(WORKLOADS[name](count))


if __name__ == "__main__":
    main()
