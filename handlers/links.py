"""Links to pictures in what people type."""

from urllib.parse import urlsplit

from imaging.addresses import may_fetch
from jobs.job import Picture

LONGEST = 2000
"""Characters of a link, which goes on to the provider as a form field."""


class BadLinkError(ValueError):
    """The link is none that anybody will open for a stranger."""


def link_in(typed: str) -> tuple[Picture | None, str]:
    """Take the first link out of what was typed: the picture behind it, and the other words. Raises BadLinkError.

    Addresses that are no public ones are refused here where they stand in the link; where a name leads to one, by
    whoever opens the link.
    """
    words = typed.split()
    link = next((word for word in words if word.lower().startswith(("http://", "https://"))), None)
    if link is None:
        return None, typed
    words.remove(link)
    try:
        parts = urlsplit(link)
        good = bool(parts.hostname) and may_fetch(parts.hostname or "") and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or len(link) > LONGEST:
        raise BadLinkError(link)
    return Picture(link, "", "link"), " ".join(words)
