"""When to print a line of progress where no terminal redraws one."""

EVERY_SECONDS = 30.0
EVERY_SHARE = 0.05
APART_SECONDS = 2.0


class Cadence:
    """Every 30 seconds, or at each 5 per cent where those come sooner; never before two seconds have passed."""

    def __init__(self, now: float, share: float) -> None:
        self._said_at, self._said_share = now, share

    def due(self, now: float, share: float) -> bool:
        """Whether to print now; the next line is then reckoned from here."""
        passed = now - self._said_at
        if passed < APART_SECONDS or (passed < EVERY_SECONDS and share - self._said_share < EVERY_SHARE):
            return False
        self._said_at, self._said_share = now, share
        return True
