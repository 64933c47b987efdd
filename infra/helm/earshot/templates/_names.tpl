{{- define "earshot.labels" -}}
app.kubernetes.io/part-of: earshot
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/name: {{ .name | replace "_" "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "earshot.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/name: {{ .name | replace "_" "-" }}
{{- end }}

{{- define "earshot.fullname" -}}
{{ printf "%s-%s" .root.Release.Name (.name | replace "_" "-") | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "earshot.kafkaEnv" -}}
- { name: KAFKA_BOOTSTRAP_SERVERS, value: {{ .Values.kafka.bootstrapServers | quote }} }
- { name: EARSHOT_TOPIC_PREFIX, value: {{ .Values.kafka.topicPrefix | quote }} }
- { name: KAFKA_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol | quote }} }
{{- if .Values.kafka.saslSecret }}
- { name: KAFKA_SASL_MECHANISM, value: {{ required "kafka.saslMechanism is required with kafka.saslSecret" .Values.kafka.saslMechanism | quote }} }
- name: KAFKA_SASL_USERNAME
  valueFrom: { secretKeyRef: { name: {{ .Values.kafka.saslSecret }}, key: username } }
- name: KAFKA_SASL_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .Values.kafka.saslSecret }}, key: password } }
{{- end }}
{{- end }}

{{- define "earshot.ringcentralEnv" -}}
- { name: RINGCENTRAL_SERVER_URL, value: {{ .Values.ringcentral.serverUrl | quote }} }
- { name: RINGCENTRAL_STATE_DIR, value: /tmp/ringcentral }
- name: RINGCENTRAL_CLIENT_ID
  valueFrom: { secretKeyRef: { name: {{ .Values.ringcentral.secret }}, key: clientId } }
- name: RINGCENTRAL_CLIENT_SECRET
  valueFrom: { secretKeyRef: { name: {{ .Values.ringcentral.secret }}, key: clientSecret } }
- name: RINGCENTRAL_JWT
  valueFrom: { secretKeyRef: { name: {{ .Values.ringcentral.secret }}, key: jwt } }
{{- end }}

{{- define "earshot.detectionEnv" -}}
- { name: EVENT_INGESTOR_MODE, value: {{ .Values.detection.mode }} }
{{- if eq .Values.detection.mode "webhook" }}
{{- with .Values.detection.webhook }}
- { name: EVENT_INGESTOR_WEBHOOK_URL, value: {{ printf "https://%s%s" .host .path | quote }} }
- name: EVENT_INGESTOR_WEBHOOK_VERIFICATION_TOKEN
  valueFrom: { secretKeyRef: { name: {{ .secret }}, key: verificationToken } }
{{- end }}
{{- end }}
{{- end }}

{{- /* Variables of a map; a number as it was written, not as 1.2e+06. */}}
{{- define "earshot.env" -}}
{{- range $name, $value := . }}
- { name: {{ $name }}, value: {{ if kindIs "float64" $value }}{{ $value | toJson | quote }}{{ else }}{{ $value | quote }}{{ end }} }
{{- end }}
{{- end }}

{{- define "earshot.image" -}}
{{ .root.Values.image.registry }}/{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- /* What every pod says: where it may run, as whom, with which pull secrets. */}}
{{- define "earshot.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: { fsGroup: 10001, runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, seccompProfile: { type: RuntimeDefault } }
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "earshot.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end }}
