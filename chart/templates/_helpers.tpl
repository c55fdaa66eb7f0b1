{{- define "canary-analyzer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "canary-analyzer.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "canary-analyzer.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "canary-analyzer.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "canary-analyzer.selectorLabels" -}}
app.kubernetes.io/name: {{ include "canary-analyzer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "canary-analyzer.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "canary-analyzer.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "canary-analyzer.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "canary-analyzer.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "canary-analyzer.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The namespaces that are watched, as a JSON list; none where all are. */}}
{{- define "canary-analyzer.namespaces" -}}
{{- if .Values.clusterWide }}[]{{ else }}{{ default (list .Release.Namespace) .Values.namespaces | uniq | toJson }}{{ end }}
{{- end }}

{{/* The config file: what the values give, and what the chart itself must set. */}}
{{- define "canary-analyzer.config" -}}
{{- $set := dict "namespaces" (include "canary-analyzer.namespaces" . | fromJsonArray) "http" (dict "host" "0.0.0.0" "port" 8080) }}
{{- mergeOverwrite (deepCopy .Values.config) $set | toYaml }}
{{- end }}

{{- define "canary-analyzer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where the config is, the files that it refers to, and the one place that can be written. */}}
{{- define "canary-analyzer.volumeMounts" -}}
- {name: config, mountPath: /etc/canary-analyzer, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "canary-analyzer.volumes" -}}
- name: config
  configMap: {name: {{ include "canary-analyzer.fullname" . }}}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Which API says where requests go: istio or gateway-api. */}}
{{- define "canary-analyzer.routing" -}}
{{- default "istio" .Values.config.routing }}
{{- end }}
