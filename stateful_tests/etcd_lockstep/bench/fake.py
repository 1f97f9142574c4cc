"""The fake: over a real etcd, and with many keys."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

from etcd_lockstep import servers
from etcd_lockstep.bench.figures import Figure, Sizes, ratio
from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.targets.wire import Wire, empty_store
from fake_etcd import Engine, InProcessChannel
from fake_etcd.stubs import Stubs, stubs
from fake_etcd.wire import messages

FEW_KEYS = 1_000
KEY_BYTES = 32
VALUE = b"v" * 64

# The fake over etcd


def random_keys(number: int) -> list[bytes]:
    source = random.Random(number)
    return [source.randbytes(KEY_BYTES) for _ in range(number)]


def puts_per_second(etcd: Stubs, keys: Sequence[bytes], seconds: float) -> float:
    put = etcd.kv.Put
    waiting = cycle(keys)
    done = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        put(messages.PutRequest(key=next(waiting), value=VALUE))
        done += 1
    return done / elapsed


def fake_over_etcd(etcd: RunningEtcd, sizes: Sizes) -> Figure:
    keys = random_keys(FEW_KEYS)
    with InProcessChannel(Engine(etcd.version)) as here, servers.open_channel(etcd.address) as there:
        fake, real = stubs(here), stubs(there)
        figure = ratio(
            "fake: in this process ÷ etcd on loopback",
            lambda _number: puts_per_second(fake, keys, sizes.seconds / 4),
            lambda _number: puts_per_second(real, keys, sizes.seconds / 4),
            20,
            "puts",
            sizes.repetitions,
        )
        empty_store(Wire(there))
        return figure


# The fake with many keys


def resident_bytes() -> int:
    """What this process holds in memory; where the system doesn't report, the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def fill(keys: Sequence[bytes]) -> Engine:
    engine = Engine()
    for key in keys:
        engine.call("/etcdserverpb.KV/Put", messages.PutRequest(key=key, value=VALUE))
    return engine


def many_keys(sizes: Sizes) -> list[Figure]:
    """To be run in a process of its own, whose memory nobody has used before."""
    before = resident_bytes()
    started = time.process_time()
    full = fill(random_keys(sizes.keys))
    filled = sizes.keys / (time.process_time() - started)
    each = (resident_bytes() - before) / sizes.keys / 1000
    small = fill(random_keys(FEW_KEYS))

    def puts(engine: Engine, keys: Sequence[bytes]) -> Iterator[float]:
        """Each time it is asked, the puts per second."""
        while True:
            requests = [messages.PutRequest(key=key, value=VALUE) for key in random.sample(keys, FEW_KEYS)]
            begun = time.process_time()
            for _ in range(10):
                for request in requests:
                    engine.call("/etcdserverpb.KV/Put", request)
            yield 10 * FEW_KEYS / (time.process_time() - begun)

    at_full, at_small = puts(full, random_keys(sizes.keys)), puts(small, random_keys(FEW_KEYS))
    return [
        Figure(f"fake: memory a key, {sizes.keys:,} keys", [each], 1.5, "KB", f"filled at {filled:,.0f} puts/s"),
        ratio(
            f"fake: {sizes.keys:,} keys ÷ {FEW_KEYS:,} keys",
            lambda _number: next(at_full),
            lambda _number: next(at_small),
            0.5,
            "puts",
            sizes.repetitions,
        ),
    ]
