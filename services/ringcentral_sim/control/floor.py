"""/sim/floor: plan and play a day of a floor, watch it, and read the ground truth of every call."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.calls.floor import FloorDay
from services.ringcentral_sim.control.bodies import bad, parsed
from services.ringcentral_sim.domain.day import DEFAULT_MIX, DayOptions
from services.ringcentral_sim.domain.staffing import Floor, supervisor_id
from services.ringcentral_sim.world import World


class FloorBody(BaseModel):
    """POST /sim/floor; times are simulated. `start` false plans only: POST /sim/floor/start begins."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 1
    agents: int = Field(300, ge=1, le=5000)
    calls: int = Field(2000, ge=0, le=100_000)
    hours: float = Field(8.0, gt=0, le=24)
    mix: dict[str, float] = Field(default_factory=lambda: dict(DEFAULT_MIX))
    talk_median_s: float = Field(150.0, gt=0)
    talk_sigma: float = Field(0.8, ge=0, le=3)
    talk_min_s: float = Field(4.0, gt=0)
    talk_max_s: float = Field(1500.0, gt=0)
    supervisors: int = Field(24, ge=0, le=200)
    groups: int = Field(12, ge=1, le=500)
    outside: int = Field(15, ge=0)
    per_group: int = Field(2, ge=0, le=50)
    min_talk_s: float = Field(10.0, ge=0, description="shorter talks do not count as supervisable")
    start: bool = True
    start_in_s: float = Field(0.0, ge=0)


def routes(world: World) -> list[Route]:
    """Four endpoints; a world has one floor day at a time."""

    async def make(request: Request) -> Response:
        body = await parsed(request, FloorBody)
        if isinstance(body, Response):
            return body
        if world.floor is not None and world.floor.state == "running":
            return bad("a floor day is running", 409)
        try:
            world.floor = FloorDay(
                world, seed=body.seed, floor=_floor(body), day=_day(body), min_talk_s=body.min_talk_s
            )
        except ValueError as error:
            return bad(str(error))
        if body.start:
            world.floor.begin(body.start_in_s)
        return JSONResponse(plan_view(world, world.floor, body), status_code=201)

    async def start(request: Request) -> Response:
        if world.floor is None or world.floor.state != "planned":
            return bad("no floor day is planned", 409)
        world.floor.begin()
        return JSONResponse(world.floor.progress())

    async def progress(request: Request) -> Response:
        return JSONResponse(world.floor.progress()) if world.floor else bad("no floor day", 404)

    async def calls(request: Request) -> Response:
        return JSONResponse({"calls": world.floor.calls()}) if world.floor else bad("no floor day", 404)

    return [
        Route("/sim/floor", make, methods=["POST"]),
        Route("/sim/floor", progress, methods=["GET"]),
        Route("/sim/floor/start", start, methods=["POST"]),
        Route("/sim/floor/calls", calls, methods=["GET"]),
    ]


def _floor(body: FloorBody) -> Floor:
    return Floor(
        agents=body.agents,
        supervisors=body.supervisors,
        groups=body.groups,
        outside=body.outside,
        per_group=body.per_group,
    )


def _day(body: FloorBody) -> DayOptions:
    return DayOptions(
        calls=body.calls,
        hours=body.hours,
        mix=body.mix,
        talk_median_s=body.talk_median_s,
        talk_sigma=body.talk_sigma,
        talk_min_s=body.talk_min_s,
        talk_max_s=body.talk_max_s,
    )


def plan_view(world: World, floor: FloorDay, body: FloorBody) -> dict[str, Any]:
    """The plan, and who may supervise whom with which credentials."""
    inside = {e.id for e in world.company.agents()}
    jwts = {extension_id: jwt for jwt, extension_id in world.company.jwts.items()}
    watchers = [supervisor_id(number) for number in range(1, body.supervisors + 1)]
    return {
        "state": floor.state,
        "seed": floor.seed,
        "speed": world.settings.speed,
        "supervisors": [
            {
                "extensionId": watcher,
                "jwt": jwts[watcher],
                "deviceIds": [d.id for d in world.company.devices_of(watcher)],
                "groups": [g.id for g in world.company.groups.values() if "Monitoring" in g.members.get(watcher, ())],
            }
            for watcher in watchers
        ],
        "agents": [agent for agent in floor.agents if agent in inside],
        "outside": [agent for agent in floor.agents if agent not in inside],
        "calls": [asdict(call) for call in floor.plan],
    }
