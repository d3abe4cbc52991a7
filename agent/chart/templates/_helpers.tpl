{{- define "hawser-agent.serviceAccount" -}}
{{- default .Release.Name .Values.serviceAccount.name -}}
{{- end -}}

{{- define "hawser-agent.tokenSecret" -}}
{{- default (printf "%s-token" .Release.Name) .Values.tokenSecret -}}
{{- end -}}

{{- define "hawser-agent.labels" -}}
app.kubernetes.io/name: hawser-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "hawser-agent.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}
