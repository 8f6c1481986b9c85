"""Work on many items by all of the processor's cores, given back in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 8
"""Items that a thread may be ahead of what is asked for: what is done and not yet taken stays in memory."""


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Call a function that leaves Python's lock to others with each item, on as many threads as PyTorch computes on.

    Args:
        function: What to call, in any order.
        items: In the order in which they are wanted.

    Yields:
        An item, and what gives its result, or raises what the call raised.
    """
    num_threads = torch.get_num_threads()
    if num_threads == 1:
        for item in items:
            yield item, partial(function, item)
        return
    pending: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(num_threads, thread_name_prefix="in_threads") as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(function, item)))
                if len(pending) == AHEAD * num_threads:
                    first, result = pending.popleft()
                    yield first, result.result
            for item, result in pending:
                yield item, result.result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
