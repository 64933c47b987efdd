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
    manifests = [text for path, text in rendered.items() if path.endswith(".yaml")]
    return [d for text in manifests for d in yaml.safe_load_all(text) if d]


def by_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


def pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    templates = [d["spec"]["template"] for d in documents if d["kind"] in {"StatefulSet", "Job"}]
    return [pod["spec"] for pod in [*templates, *by_kind(documents, "Pod").values()]]


def settings(document: dict[str, Any]) -> dict[str, Any]:
    [container] = document["spec"]["template"]["spec"]["containers"]
    return {e["name"]: e.get("value") for e in container["env"]}


VALUES = [
    pytest.param({"kafka": KAFKA}, id="least"),
    pytest.param(
        {
            "kafka": {**KAFKA, "securityProtocol": "SASL_SSL", "saslMechanism": "SCRAM-SHA-512", "saslSecret": "k"},
            "ingress": {"enabled": True, "host": "e.example", "className": "nginx", "tlsSecret": "t"},
            "services": {"transcriber": {"replicas": 4, "env": {"TRANSCRIBER_DECODE_THREADS": 2}}},
            "env": {"LOG_LEVEL": "DEBUG"},
            "image": {"registry": "registry.example/earshot", "tag": "1.2.3", "pullSecrets": [{"name": "pull"}]},
            "nodeSelector": {"pool": "voice"},
            "tolerations": [{"key": "voice", "operator": "Exists"}],
            "topics": {"create": False},
            "assist": {
                "oidc": {"issuer": "https://id.example", "audience": "earshot"},
                "allowedOrigins": "https://crm.example",
            },
            "recordings": {"claim": "calls"},
        },
        id="much",
    ),
    pytest.param(
        {
            "kafka": KAFKA,
            "detection": {"mode": "webhook", "webhook": {"host": "hooks.example", "ingress": {"tlsSecret": "t"}}},
        },
        id="webhook",
    ),
]


@pytest.mark.parametrize("values", VALUES)
def test_what_is_rendered_is_valid_kubernetes(values: dict[str, Any]) -> None:
    documents = render(values)
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    sets = by_kind(documents, "StatefulSet")
    assert {name.removeprefix("demo-") for name in sets} == SERVICES
    for pod in pods(documents):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        names = [e["name"] for e in container["env"]]
        assert len(names) == len(set(names))
    for document in sets.values():
        [container] = document["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_settings_of_one_service_reach_it_alone() -> None:
    sets = by_kind(render(VALUES[1].values[0]), "StatefulSet")  # type: ignore[arg-type]
    with_it = {name for name, d in sets.items() if settings(d).get("TRANSCRIBER_DECODE_THREADS") == "2"}
    assert with_it == {"demo-transcriber"}
    assert sets["demo-transcriber"]["spec"]["replicas"] == 4
    assert all(settings(d)["LOG_LEVEL"] == "DEBUG" for d in sets.values())


def test_webhooks_come_in_by_an_ingress_of_their_own() -> None:
    documents = render(VALUES[2].values[0])  # type: ignore[arg-type]
    env = settings(by_kind(documents, "StatefulSet")["demo-event-ingestor"])
    assert (env["EVENT_INGESTOR_MODE"], env["EVENT_INGESTOR_WEBHOOK_URL"]) == (
        "webhook",
        "https://hooks.example/webhook",
    )
    assert "EVENT_INGESTOR_WEBHOOK_VERIFICATION_TOKEN" in env
    service = by_kind(documents, "Service")["demo-webhook"]["spec"]
    assert service["publishNotReadyAddresses"] is True
    assert service["selector"]["app.kubernetes.io/name"] == "event-ingestor"
    [rule] = by_kind(documents, "Ingress")["demo-webhook"]["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert (rule["host"], path["path"], path["backend"]["service"]["name"]) == (
        "hooks.example", "/webhook", "demo-webhook"
    )  # fmt: skip
    plain = render({"kafka": KAFKA})
    assert "demo-webhook" not in by_kind(plain, "Service")
    assert settings(by_kind(plain, "StatefulSet")["demo-event-ingestor"])["EVENT_INGESTOR_MODE"] == "websocket"


def test_files_of_a_service_reach_it_alone_and_start_it_anew() -> None:
    def rendered(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        service = {"files": {"queues.yaml": text}, "env": {"TRANSCRIBER_QUEUES": "/etc/earshot/queues.yaml"}}
        documents = render({"kafka": KAFKA, "services": {"transcriber": service}})
        for document in documents:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        [(name, config)] = by_kind(documents, "ConfigMap").items()
        sets = by_kind(documents, "StatefulSet")
        mounting = {
            name: [m for m in pod["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] if m["name"] == "files"]
            for name, pod in sets.items()
        }
        assert {name: found for name, found in mounting.items() if found} == {
            "demo-transcriber": [
                {
                    "name": "files",
                    "mountPath": "/etc/earshot/queues.yaml",
                    "subPath": "queues.yaml",
                    "readOnly": True,
                }
            ]
        }
        template = sets["demo-transcriber"]["spec"]["template"]
        assert {"name": "files", "configMap": {"name": name}} in template["spec"]["volumes"]
        assert settings(sets["demo-transcriber"])["TRANSCRIBER_QUEUES"] == "/etc/earshot/queues.yaml"
        return config["data"], template["metadata"]["annotations"]

    text = 'queues:\n  "62001": {languages: [fr]}\n'
    data, annotations = rendered(text)
    assert data == {"queues.yaml": text}
    assert rendered(text)[1] == annotations
    assert rendered(text.replace("fr", "es"))[1] != annotations


def test_numbers_reach_the_services_as_they_were_written() -> None:
    sets = by_kind(
        render({"kafka": KAFKA, "services": {"recorder": {"env": {"RECORDER_IDLE_MS": 1200000}}}}), "StatefulSet"
    )
    assert settings(sets["demo-recorder"])["RECORDER_IDLE_MS"] == "1200000"


def test_with_an_identity_provider_no_local_key_is_set() -> None:
    sets = by_kind(render({"kafka": KAFKA}), "StatefulSet")
    local = settings(sets["demo-assist-gateway"])
    assert "ASSIST_GATEWAY_JWT_KEY" in local
    assert not {"ASSIST_GATEWAY_JWT_ISSUER", "ASSIST_GATEWAY_TICKET_KEY"} & set(local)
    provided = settings(by_kind(render(VALUES[1].values[0]), "StatefulSet")["demo-assist-gateway"])  # type: ignore[arg-type]
    assert "ASSIST_GATEWAY_JWT_KEY" not in provided
    assert provided["ASSIST_GATEWAY_JWT_ISSUER"] == "https://id.example"
    assert provided["ASSIST_GATEWAY_JWT_AUDIENCE"] == "earshot"
    assert "ASSIST_GATEWAY_TICKET_KEY" in provided
    with pytest.raises(helm_python.HelmError, match=r"assist\.oidc\.audience"):
        render({"kafka": KAFKA, "assist": {"oidc": {"issuer": "https://id.example"}}})


def test_recordings_are_played_from_where_they_are_written() -> None:
    sets = by_kind(render(VALUES[1].values[0]), "StatefulSet")  # type: ignore[arg-type]
    written = settings(sets["demo-recorder"])["RECORDER_DESTINATION"]
    assert written == settings(sets["demo-assist-gateway"])["ASSIST_GATEWAY_RECORDINGS"] == "/recordings"
    mounts = {
        name: [m for m in d["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] if m["name"] == "recordings"]
        for name, d in sets.items()
    }
    assert {name: found[0]["readOnly"] for name, found in mounts.items() if found} == {
        "demo-recorder": False,
        "demo-assist-gateway": True,
    }
    claims = [v for v in sets["demo-recorder"]["spec"]["template"]["spec"]["volumes"] if v["name"] == "recordings"]
    assert claims == [{"name": "recordings", "persistentVolumeClaim": {"claimName": "calls"}}]


def test_rtp_comes_straight_to_the_node_on_ports_that_are_no_node_ports() -> None:
    sets = by_kind(render({"kafka": KAFKA}), "StatefulSet")
    on_host = {name for name, d in sets.items() if d["spec"]["template"]["spec"].get("hostNetwork")}
    assert on_host == {"demo-media-gateway"}
    env = settings(sets["demo-media-gateway"])
    first, last = int(env["MEDIA_GATEWAY_RTP_PORT_FIRST"]), int(env["MEDIA_GATEWAY_RTP_PORT_LAST"])
    assert 1024 < first < last < 30000


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kafka": {**KAFKA, "securityProtocol": "TLS"}},
        {"kafka": KAFKA, "kafak": {}},
        {"kafka": KAFKA, "services": {"transcriber": {"replicas": "two"}}},
        {"kafka": KAFKA, "services": {"transcribers": {"replicas": 1}}},
        {"kafka": KAFKA, "services": {"recorder": {"storage": "much"}}},
        {"kafka": KAFKA, "services": {"transcriber": {"files": {"../queues.yaml": ""}}}},
        {"kafka": KAFKA, "env": {"log-level": "DEBUG"}},
        {"kafka": KAFKA, "detection": {"mode": "pigeon"}},
        {"kafka": KAFKA, "detection": {"mode": "webhook"}},
    ],
)
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
