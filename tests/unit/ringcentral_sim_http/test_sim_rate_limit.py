"""The sliding window, against a plain count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.ringcentral_sim.domain.rate_limit import RateLimiter

GAPS = st.lists(st.floats(min_value=0.0, max_value=40.0), min_size=1, max_size=60)


@given(gaps=GAPS, limit=st.integers(1, 6))
def test_no_window_of_sixty_seconds_lets_more_than_the_limit_pass(gaps, limit):
    limiter = RateLimiter({"light": limit}, penalty_s=0.0)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        recent = [t for t in passed if t > now - 60.0]
        verdict = limiter.check("user", "light", now)
        assert verdict.allowed == (len(recent) < limit)
        if verdict.allowed:
            passed.append(now)
            assert verdict.remaining == limit - len(recent) - 1


@given(gaps=GAPS, limit=st.integers(1, 4))
def test_a_penalty_lasts_until_sixty_seconds_without_a_request(gaps, limit):
    limiter = RateLimiter({"light": limit})
    now, last_refusal = 0.0, None
    for gap in gaps:
        now += gap
        verdict = limiter.check("user", "light", now)
        if last_refusal is not None and now < last_refusal + 60.0:
            assert not verdict.allowed
        if not verdict.allowed:
            last_refusal = now
            assert verdict.headers()["Retry-After"] == "60"
        else:
            assert "Retry-After" not in verdict.headers()


def test_users_and_groups_do_not_share_a_window():
    limiter = RateLimiter({"light": 1, "heavy": 1})
    assert limiter.check("a", "light", 0.0).allowed
    assert limiter.check("b", "light", 0.0).allowed
    assert limiter.check("a", "heavy", 0.0).allowed
    assert not limiter.check("a", "light", 1.0).allowed


async def test_over_rest_it_says_429_and_the_trap_restarts(make_lab):
    lab = await make_lab(rate_light=2)
    token = await lab.login()
    path = "/account/~/extension/~"
    replies = [await lab.call("GET", path, token) for _ in range(3)]
    assert [r.status_code for r in replies] == [200, 200, 429]
    assert replies[0].headers["X-Rate-Limit-Group"] == "light"
    assert replies[0].headers["X-Rate-Limit-Remaining"] == "1"
    assert replies[0].headers["X-Rate-Limit-Window"] == "60"
    assert replies[2].headers["Retry-After"] == "60"
    assert replies[2].json()["errors"][0]["errorCode"] == "CMN-301"
    await lab.clock.advance(50)
    assert (await lab.call("GET", path, token)).status_code == 429
    await lab.clock.advance(59)
    assert (await lab.call("GET", path, token)).status_code == 429
    await lab.clock.advance(60)
    assert (await lab.call("GET", path, token)).status_code == 200
    assert (await lab.http.get("/sim/state")).json()["counters"]["rate_limit_violations"] == 3
