"""Python's diskcache as a contestant: reads one command per line, measures itself, answers one line of JSON.

Its data is built by the rules of harness/data.mjs, so that both sides read and write the same. The garbage collector
runs between the measurements, as it does in Node.
"""

import gc
import json
import os
import sys
from time import perf_counter, perf_counter_ns, process_time

import diskcache
import sqlite3

KINDS = {"cache": diskcache.Cache, "fanout": diskcache.FanoutCache}


def key_at(index):
    return "user:" + str(index).zfill(7)


def value_at(number):
    return (str(number).zfill(10) + ":" + "abcdefghij" * 9)[:100]


def random_order(length, limit, seed):
    state = seed & 0xFFFFFFFF
    order = []
    for _ in range(length):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        order.append((state * limit) >> 32)
    return order


class Clock:
    """Time on the wall, and of the processor."""

    def __init__(self):
        self.cpu = process_time()
        self.wall = perf_counter()

    def read(self):
        milliseconds = (perf_counter() - self.wall) * 1e3
        return {"milliseconds": milliseconds, "cpu": (process_time() - self.cpu) * 1e3}


class Peer:
    def __init__(self):
        self.cache = None
        self.deque = None
        self.value_of = None

    def versions(self, command):
        return {
            "diskcache": diskcache.__version__,
            "python": sys.version.split()[0],
            "sqlite": sqlite3.sqlite_version,
        }

    def open(self, command):
        clock = Clock()
        self.cache = KINDS[command["kind"]](command["directory"], **command.get("settings", {}))
        return clock.read()

    def close(self, command):
        self.cache.close()
        return {}

    def fill(self, command):
        with self.cache.transact(retry=True):
            for index in range(command["keys"]):
                self.cache.set(key_at(index), value_at(index), retry=True)
        return {}

    def get(self, command):
        order = [key_at(at) for at in random_order(command["count"], command["keys"], command["seed"])]
        return timed(self.cache.get, order, None, command.get("latencies", False))

    def set(self, command):
        order = [key_at(at) for at in random_order(command["count"], command["keys"], command["seed"])]
        values = [value_at(at + command["seed"]) for at in range(command["count"])]
        return timed(self.cache.set, order, values, command.get("latencies", False))

    def insert(self, command):
        first = command["first"]
        order = [key_at(at) for at in range(first, first + command["count"])]
        values = [value_at(at) for at in range(command["count"])]
        return timed(self.cache.set, order, values, False)

    def delete(self, command):
        order = [key_at(at) for at in range(command["count"])]
        return timed(self.cache.delete, order, None, command.get("latencies", False))

    def get_and_close(self, command):
        order = [key_at(at) for at in random_order(command["count"], command["keys"], command["seed"])]
        get = self.cache.get
        clock = Clock()
        for key in order:
            if get(key) is None:
                raise KeyError(key)
        self.cache.close()
        return clock.read()

    def memoize(self, command):
        """Wraps a function, and computes the results that `memoized` will ask for."""
        self.value_of = self.cache.memoize(name="value_at")(value_at)
        for number in range(command["count"]):
            self.value_of(number)
        return {}

    def memoized(self, command):
        order = random_order(command["count"], command["keys"], command["seed"])
        return timed(self.value_of, order, None, command.get("latencies", False))

    def lock(self, command):
        lock = diskcache.Lock(self.cache, command["key"])

        def cycle(_):
            lock.acquire()
            lock.release()
            return True

        return timed(cycle, range(command["count"]), None, command.get("latencies", False))

    def open_deque(self, command):
        self.deque = diskcache.Deque(directory=command["directory"])
        return {}

    def prepare_deque(self, command):
        self.deque.clear()
        with self.deque.transact():
            self.deque.extend(value_at(at) for at in range(command["count"]))
        return {}

    def append(self, command):
        append = self.deque.append
        values = [value_at(at) for at in range(command["count"])]
        gc.collect()
        clock = Clock()
        for value in values:
            append(value)
        return clock.read()

    def popleft(self, command):
        popleft = self.deque.popleft
        gc.collect()
        clock = Clock()
        for _ in range(command["count"]):
            popleft()
        return clock.read()

    def mixed(self, command):
        """90 % get, 9 % set, 1 % delete."""
        count = command["count"]
        order = [key_at(at) for at in random_order(count, command["keys"], command["seed"])]
        kinds = random_order(count, 100, command["seed"] + 1)
        value = value_at(command["seed"])
        cache = self.cache
        failed = 0
        clock = Clock()
        for key, kind in zip(order, kinds):
            if kind < 90:
                cache.get(key)
            elif kind < 99:
                if not cache.set(key, value):
                    failed += 1
            else:
                cache.delete(key)
        return {**clock.read(), "failed": failed}

    def mixed_expiring(self, command):
        """The same with a time to live of a second; answers microseconds of each set, refused ones too."""
        count = command["count"]
        order = [key_at(at) for at in random_order(count, command["keys"], command["seed"])]
        kinds = random_order(count, 100, command["seed"] + 1)
        value = value_at(command["seed"])
        cache = self.cache
        failed = 0
        sets = []
        gc.collect()
        clock = Clock()
        for key, kind in zip(order, kinds):
            if kind < 90:
                cache.get(key)
            elif kind < 99:
                started = perf_counter_ns()
                if not cache.set(key, value, expire=1):
                    failed += 1
                sets.append((perf_counter_ns() - started) / 1e3)
            else:
                cache.delete(key)
        return {**clock.read(), "failed": failed, "sets": sets}


def timed(call, order, values, single):
    """One timed loop; with `single` microseconds of each call instead."""
    gc.collect()
    if single:
        latencies = []
        for at, key in enumerate(order):
            arguments = (key,) if values is None else (key, values[at])
            started = perf_counter_ns()
            answer = call(*arguments)
            latencies.append((perf_counter_ns() - started) / 1e3)
            refuse(answer, key)
        return {"latencies": latencies}
    clock = Clock()
    if values is None:
        for key in order:
            answer = call(key)
            if answer is None or answer is False:
                raise KeyError(key)
    else:
        for key, value in zip(order, values):
            if not call(key, value):
                raise KeyError(key)
    return clock.read()


def refuse(answer, key):
    if answer is None or answer is False:
        raise KeyError(key)


def main():
    peer = Peer()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(peer, command["do"])(command)
        except Exception as error:
            answer = {"error": type(error).__name__ + ": " + str(error)}
        print(json.dumps(answer), flush=True)
    # The directory goes with the bench: no time for the goodbyes of SQLite.
    os._exit(0)


main()
