"""Results whose scan is now known under another key: carried over, not made again."""

from collections import Counter
from collections.abc import Iterator, Mapping

from cohortsmith.imaging.stored import Stored


def move_results(moves: Mapping[str, str], done: Mapping[str, Stored]) -> Iterator[tuple[str, Stored]]:
    """Yield each key with the result that lies under `moves[key]`, ready to be written.

    The consumer overwrites a key as soon as it is yielded, so a result that another key still waits for is read first.
    Chains are followed from link to link: whatever their length, few volumes are in memory at once.
    """
    waiting, wanted, read = dict(moves), Counter(moves.values()), dict[str, Stored]()
    key = next(iter(waiting), None)
    while key is not None:
        origin = waiting.pop(key)
        if wanted[key]:
            read.setdefault(key, _loaded(done, key))
        yield key, read[origin] if origin in read else _loaded(done, origin)
        wanted[origin] -= 1
        if not wanted[origin]:
            read.pop(origin, None)
        key = next((other for other, source in waiting.items() if source == key), next(iter(waiting), None))


def _loaded(done: Mapping[str, Stored], key: str) -> Stored:
    return done[key]._replace(volume=done[key].load(), path="")
