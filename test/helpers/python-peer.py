"""Runs snippets for the tests: a request per line of standard input, an answer per line of standard output."""
import base64
import json
import os
import pickle
import sqlite3
import sys
import textwrap
import time
import types
import warnings
import zlib

import diskcache
import diskcache.core
import diskcache.fanout
from diskcache import Cache, Deque, FanoutCache, Index, JSONDisk

# check() collects warnings, and would leave out those it has seen before.
warnings.simplefilter('always')

SEQUENCES = {'list': list, 'tuple': tuple, 'set': set, 'frozenset': frozenset}


def encode(value):
    kind = type(value)
    if value is None:
        return ['none']
    if kind is bool or kind is str:
        return [kind.__name__, value]
    if kind is int or kind is float:
        return [kind.__name__, repr(value)]
    if kind is bytes or kind is bytearray or kind is memoryview:
        return ['bytes', base64.b64encode(value).decode()]
    if kind in SEQUENCES.values():
        return [kind.__name__, [encode(item) for item in value]]
    if isinstance(value, dict):
        return ['dict', [[encode(key), encode(item)] for key, item in value.items()]]
    return ['other', '%s %r' % (kind.__name__, value)]


def decode(wire):
    kind = wire[0]
    if kind == 'none':
        return None
    if kind == 'int':
        return int(wire[1])
    if kind == 'float':
        return float(wire[1])
    if kind == 'bytes':
        return base64.b64decode(wire[1])
    if kind in SEQUENCES:
        return SEQUENCES[kind](decode(item) for item in wire[1])
    if kind == 'dict':
        return {decode(key): decode(item) for key, item in wire[1]}
    return wire[1]


def keep(**values):
    """Names a value for the snippets that follow."""
    scope.update(values)


def found(cache):
    """What check() complains of."""
    return [str(warning.message) for warning in cache.check(retry=True)]


def sql(directory, statement, *arguments):
    """Rows of a statement that runs beside any cache."""
    connection = sqlite3.connect(os.path.join(directory, 'cache.db'), timeout=30, isolation_level=None)
    try:
        return connection.execute(statement, arguments).fetchall()
    finally:
        connection.close()


def stop_clock(seconds):
    """Gives the caches a clock that stands still."""
    stopped = types.SimpleNamespace(time=lambda: seconds, sleep=time.sleep)
    diskcache.core.time = stopped
    diskcache.fanout.time = stopped


def run(body, arguments):
    try:
        code = compile(body.strip(), '<snippet>', 'eval')
    except SyntaxError:
        lines = textwrap.indent(textwrap.dedent(body), '    ')
        local = {}
        exec('def snippet(%s):\n%s\n' % (', '.join(arguments), lines), scope, local)
        return local['snippet'](**arguments)
    # Arguments are global to the expression, so that comprehensions see them.
    return eval(code, {**scope, **arguments})


scope = dict(globals())


def main():
    # What snippets print must not get between the answers.
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            arguments = {name: decode(wire) for name, wire in request['arguments'].items()}
            answer = {'result': encode(run(request['body'], arguments))}
        except Exception as error:
            answer = {'error': type(error).__name__, 'message': str(error)}
        answers.write(json.dumps(answer) + '\n')
        answers.flush()


if __name__ == '__main__':
    main()
