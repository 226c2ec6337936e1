"""When to print a line of progress if the output is not a terminal."""

from collections.abc import Hashable

EVERY_SECONDS = 30.0
EVERY_SHARE = 0.05
APART_SECONDS = 2.0
SILENT_SECONDS = 120.0


class PrintInterval:
    """Every 30 seconds, or at each 5 per cent where those come sooner; never before two seconds have passed.

    Where nothing is new since the last line, that is said after two minutes, then four, eight, ..., and no more.
    """

    def __init__(self, now: float, share: float) -> None:
        self._said_at, self._said_share = now, share
        self._said_news: Hashable = None
        self._silence = SILENT_SECONDS

    def due(self, now: float, share: float, news: Hashable, silent: float) -> bool:
        """Whether to print now; the next interval then starts here.

        Args:
            news: what the line says, apart from what time alone changes.
            silent: for how many seconds that has been the same.
        """
        passed = now - self._said_at
        if passed < APART_SECONDS:
            return False
        if news != self._said_news:
            self._silence = SILENT_SECONDS
            if passed < EVERY_SECONDS and share - self._said_share < EVERY_SHARE:
                return False
        elif silent < self._silence:
            return False
        else:
            self._silence *= 2
        self._said_at, self._said_share, self._said_news = now, share, news
        return True
