"""Where a member listens to the others (etcd: client/pkg/types/urls.go NewURLs)."""

import re
from collections.abc import Iterable, Sequence

from fake_etcd.quirks import Quirks

_SPACE = "\t\n\v\f\r \x85\xa0"
_SCHEME = re.compile(r"(https?|unixs?):([^#\x00-\x1f\x7f]*)(#[^\x00-\x1f\x7f]+)?#?", re.IGNORECASE)

_ESCAPED = r"%[0-9A-Fa-f]{2}"
_USER = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{_ESCAPED})*@"
_NAME = r"(?:[A-Za-z0-9._~!$&'()*+,;=<>\"-]|[^\x00-\x7f])*"
_ADDRESS = r"\[[0-9A-Fa-f:.]*\]"
_HOST_AND_PORT = re.compile(rf"//(?:{_USER})?(?:{_NAME}|{_ADDRESS}):[0-9]*(?:\?.*)?")
_PATH = re.compile(rf"(?:[^%]|{_ESCAPED})*")


def parsed(urls: Iterable[str], quirks: Quirks) -> list[str] | None:
    """The URLs as etcd keeps those of a member that is added, in its order; None where one is none, or none is there.

    Parts that net/url of Go writes in another way than it reads them stay here as they are.
    """
    read = [_read(url.strip(_SPACE), quirks) for url in urls]
    kept = sorted(url for url in read if url)
    return kept if kept and len(kept) == len(read) else None


def can_be_probed(urls: Sequence[str], quirks: Quirks) -> bool:
    """Whether etcd survives them as those of another member. It gives them to its prober of peers as they are, which
    panics at a space, four seconds later."""
    return parsed(urls, quirks) is not None and all(url == url.strip(_SPACE) for url in urls)


def _read(url: str, quirks: Quirks) -> str | None:
    found = _SCHEME.fullmatch(url)
    if found is None:
        return None
    scheme, rest, fragment = found[1].lower(), found[2], found[3] or ""
    is_path = scheme.startswith("unix") and quirks.unix_peer_urls_need_no_port
    if not (_PATH if is_path else _HOST_AND_PORT).fullmatch(rest):
        return None
    return f"{scheme}:{rest}{fragment}"
