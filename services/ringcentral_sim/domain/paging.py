"""Pages of records with `paging` and `navigation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from services.ringcentral_sim.domain.errors import invalid

DEFAULT_PER_PAGE = 100
MAX_PER_PAGE = 1000


def page_of(
    records: Sequence[dict[str, Any]], url: str, query: dict[str, str], *, totals: bool = True
) -> dict[str, Any]:
    """One page of `records`; perPage is clamped to 1000 without a word, as the platform does."""
    page = _number("page", query.get("page", "1"))
    raw = query.get("perPage", str(DEFAULT_PER_PAGE))
    per_page = MAX_PER_PAGE if raw == "max" else min(_number("perPage", raw), MAX_PER_PAGE)
    start = (page - 1) * per_page
    shown = list(records[start : start + per_page])
    last = max(1, -(-len(records) // per_page))
    kept = {k: v for k, v in query.items() if k not in ("page", "perPage")}

    def uri(number: int) -> dict[str, str]:
        return {"uri": f"{url}?{urlencode({**kept, 'page': number, 'perPage': per_page})}"}

    paging: dict[str, Any] = {"page": page, "perPage": per_page}
    if shown:
        paging |= {"pageStart": start, "pageEnd": start + len(shown) - 1}
    navigation = {"firstPage": uri(1), "lastPage": uri(last)} if totals else {}
    if totals:
        paging |= {"totalPages": last, "totalElements": len(records)}
    if page < last:
        navigation["nextPage"] = uri(page + 1)
    if 1 < page <= last:
        navigation["previousPage"] = uri(page - 1)
    return {"uri": url, "records": shown, "paging": paging, "navigation": navigation}


def _number(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise invalid(name, text)
    return int(text)
