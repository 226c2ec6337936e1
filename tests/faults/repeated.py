"""A verb, run again and again, each time in a process of its own that ends as the command `stylemill` does.

    python -m tests.faults.repeated TIMES VERB [FLAGS of the verb]

Prints how often each exit code came, as JSON. The processes are forks of one that has imported the verb: nearly all of
a short verb's time is that import.
"""

import json
import os
import sys
from collections import Counter

import pandas  # noqa: F401  pyarrow would, in each process anew

from jobs.__main__ import end, main
from jobs.subverbs import module_of

if __name__ == "__main__":
    times, verb, *words = sys.argv[1:]
    module_of(verb)
    codes: Counter[int] = Counter()
    for _ in range(int(times)):
        child = os.fork()
        if not child:
            end(main([verb, *words]))
        codes[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
    print(json.dumps(codes))
