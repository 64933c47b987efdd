"""The chart lints, renders what Kubernetes accepts, and refuses values that cannot work. No cluster is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from services.contracts import topics

CHART = Path(__file__).resolve().parents[2] / "infra" / "helm" / "earshot"
KUBERNETES = "1.32"
KAFKA = {"bootstrapServers": "kafka.example:9092"}
SERVICES = {
    "event-ingestor", "supervision-orchestrator", "media-gateway", "transcriber", "insights", "recorder",
    "assist-gateway",
}  # fmt: skip


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm_python.Chart.load(CHART) as chart:
        rendered = chart.render(values=values, name="demo", namespace="earshot")
    texts = rendered.values() if isinstance(rendered, dict) else [rendered]
    documents = [d for text in texts for d in yaml.safe_load_all(text if isinstance(text, str) else yaml.dump(text))]
    return [d for d in documents if isinstance(d, dict)]


def by_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


VALUES = [
    pytest.param({"kafka": KAFKA}, id="least"),
    pytest.param(
        {
            "kafka": {**KAFKA, "securityProtocol": "SASL_SSL", "saslMechanism": "SCRAM-SHA-512", "saslSecret": "k"},
            "ingress": {"enabled": True, "host": "e.example", "className": "nginx", "tlsSecret": "t"},
            "services": {"transcriber": {"replicas": 4, "env": {"TRANSCRIBER_DECODE_THREADS": 2}}},
            "topics": {"create": False},
        },
        id="much",
    ),
]


@pytest.mark.parametrize("values", VALUES)
def test_what_is_rendered_is_valid_kubernetes(values: dict[str, Any]) -> None:
    documents = render(values)
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    sets = by_kind(documents, "StatefulSet")
    assert {name.removeprefix("demo-") for name in sets} == SERVICES
    for document in sets.values():
        [container] = document["spec"]["template"]["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        names = [e["name"] for e in container["env"]]
        assert len(names) == len(set(names))


def test_settings_of_one_service_reach_it_alone() -> None:
    sets = by_kind(render(VALUES[1].values[0]), "StatefulSet")  # type: ignore[arg-type]
    with_it = {
        name
        for name, document in sets.items()
        if any(
            e["name"] == "TRANSCRIBER_DECODE_THREADS" and e["value"] == "2"
            for e in document["spec"]["template"]["spec"]["containers"][0]["env"]
        )
    }
    assert with_it == {"demo-transcriber"}
    assert sets["demo-transcriber"]["spec"]["replicas"] == 4


@pytest.mark.parametrize("values", [{}, {"kafka": {**KAFKA, "securityProtocol": "TLS"}}, {"kafka": KAFKA, "kafak": {}}])
def test_values_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    with helm_python.Chart.load(CHART) as chart, pytest.raises(helm_python.HelmError):
        chart.validate_schema(values)


def test_it_lints() -> None:
    report = helm_python.lint(CHART, values={"kafka": KAFKA})
    problems = [m for m in report["messages"] if str(m.get("severity", "")).upper() in {"ERROR", "WARNING", "2", "3"}]
    assert problems == []


def test_topics_are_created_by_the_image_that_knows_the_schemas() -> None:
    [job] = by_kind(render({"kafka": KAFKA}), "Job").values()
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"][0] == "topics"
    assert len(topics.ALL) > 10
