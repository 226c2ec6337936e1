"""Listings before moto's server: its own take longer to make than what is measured takes to read.

moto looks through all keys for each page, and makes each entry by way of a general serialiser. Here ListObjectsV2 is
answered from moto's own keys, as S3 does it (its order, pages of 1,000, directories, URL encoding), with the text of an
entry made when its key is. Every other request is moto's.
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, quote, unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

PAGE = 1000
ASKED = {"list-type", "prefix", "delimiter", "continuation-token", "encoding-type", "max-keys"}


class Pages:
    """moto's application with listings of `bucket` (moto's) of its own; the bucket is changed through it alone."""

    def __init__(self, app: WSGIApplication, bucket: Any) -> None:
        self._app, self._bucket, self._lock = app, bucket, threading.Lock()
        self._read_all()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        home = f"/{self._bucket.name}"
        if method == "GET" and path.rstrip("/") == home and query.get("list-type") == "2" and query.keys() <= ASKED:
            with self._lock:
                content = self._page(query).encode()
            start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(content)))])
            return [content]
        answer = self._app(environ, start_response)
        with self._lock:
            if method in ("PUT", "DELETE") and path.startswith(f"{home}/"):
                self._read_one(path.removeprefix(f"{home}/").encode("latin-1").decode())  # as WSGI hands it over
            elif method == "POST":
                self._read_all()
        return answer

    def _page(self, query: dict[str, str]) -> str:
        prefix, after = query.get("prefix", ""), query.get("continuation-token")
        encoded: Callable[[str], str] = quote if query.get("encoding-type") == "url" else str
        place = bisect_left(self._names, prefix) if after is None else bisect_right(self._names, unquote(after))
        entries: list[str] = []
        while (more := place < len(self._names) and self._names[place].startswith(prefix)) and len(entries) < PAGE:
            name = self._names[place]
            folder, below, _ = name[len(prefix) :].partition("/")
            if below and query.get("delimiter") == "/":
                shown = escape(encoded(f"{prefix}{folder}/"))
                entries.append(f"<CommonPrefixes><Prefix>{shown}</Prefix></CommonPrefixes>")
                place = bisect_left(self._names, f"{prefix}{folder}0", lo=place)  # "0" comes after "/"
            else:
                entries.append(f"<Contents><Key>{escape(encoded(name))}</Key>{self._facts[name]}</Contents>")
                place += 1
        text = '<?xml version="1.0" encoding="UTF-8"?>\n'
        text += '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        text += f"<Name>{self._bucket.name}</Name><Prefix>{escape(encoded(prefix))}</Prefix><MaxKeys>{PAGE}</MaxKeys>"
        text += f"<KeyCount>{len(entries)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        if more:
            text += f"<NextContinuationToken>{quote(self._names[place - 1])}</NextContinuationToken>"
        if "encoding-type" in query:
            text += "<EncodingType>url</EncodingType>"
        return f"{text}{''.join(entries)}</ListBucketResult>"

    def _read_all(self) -> None:
        self._names = sorted(self._bucket.keys)
        self._facts = {name: _facts(self._bucket.keys[name]) for name in self._names}

    def _read_one(self, name: str) -> None:
        place = bisect_left(self._names, name)
        known = place < len(self._names) and self._names[place] == name
        if name in self._bucket.keys:
            self._facts[name] = _facts(self._bucket.keys[name])
            if not known:
                self._names.insert(place, name)
        elif known:
            del self._names[place], self._facts[name]


def _facts(key: Any) -> str:
    """What S3 says of an object beside its name."""
    made = f"<LastModified>{key.last_modified_ISO8601}</LastModified><ETag>{escape(key.etag)}</ETag>"
    made += "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    return f"{made}<Size>{key.size}</Size><StorageClass>STANDARD</StorageClass>"
