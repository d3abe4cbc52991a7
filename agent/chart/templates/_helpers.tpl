{{- define "hawser-agent.serviceAccount" -}}
{{- default .Release.Name .Values.serviceAccount.name -}}
{{- end -}}

{{- define "hawser-agent.tokenSecret" -}}
{{- default (printf "%s-token" .Release.Name) .Values.tokenSecret -}}
{{- end -}}

{{- define "hawser-agent.registrationSecret" -}}
{{- default (printf "%s-registration" .Release.Name) .Values.registration.tokenSecret -}}
{{- end -}}

{{- define "hawser-agent.registers" -}}
{{- if and (ne .Values.identity "static") (or .Values.registration.token .Values.registration.tokenSecret) -}}yes{{- end -}}
{{- end -}}

{{- define "hawser-agent.hasRole" -}}
{{- if has .Values.identity (list "irsa" "pod-identity") -}}yes{{- end -}}
{{- end -}}

{{/* The ServiceAccount token is exchanged; with a role of its own only where the agent may fall back to HTTPS and can register. */}}
{{- define "hawser-agent.exchanges" -}}
{{- if or (eq .Values.identity "service-account") (and (include "hawser-agent.hasRole" .) (include "hawser-agent.registers" .)) -}}yes{{- end -}}
{{- end -}}

{{- define "hawser-agent.selector" -}}
app.kubernetes.io/name: hawser-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hawser-agent.labels" -}}
{{ include "hawser-agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "hawser-agent.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* Port of the service's address. */}}
{{- define "hawser-agent.serverPort" -}}
{{- $port := regexFind ":[0-9]+$" (get (urlParse .Values.server) "host") -}}
{{- if $port -}}{{ trimPrefix ":" $port }}{{- else -}}{{ ternary "443" "80" (hasPrefix "https:" .Values.server) }}{{- end -}}
{{- end -}}

{{/* A Secret with the addresses of proxies; empty where there is none. */}}
{{- define "hawser-agent.proxySecret" -}}
{{- if .Values.proxy.secret -}}{{ .Values.proxy.secret }}
{{- else if or .Values.proxy.https .Values.proxy.http -}}{{ .Release.Name }}-proxy
{{- end -}}
{{- end -}}

{{/* Ports of the proxies, as a JSON list. */}}
{{- define "hawser-agent.proxyPorts" -}}
{{- $ports := .Values.proxy.ports | toStrings -}}
{{- range compact (list .Values.proxy.https .Values.proxy.http) -}}
{{- $port := regexFind ":[0-9]+$" (get (urlParse .) "host") -}}
{{- $ports = append $ports (default (ternary "443" "80" (hasPrefix "https:" .)) (trimPrefix ":" $port)) -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* A ConfigMap with certificates that are trusted besides the usual ones. */}}
{{- define "hawser-agent.caConfigMap" -}}
{{- if .Values.caConfigMap -}}{{ .Values.caConfigMap }}
{{- else if trim .Values.caBundle -}}{{ .Release.Name }}-ca
{{- end -}}
{{- end -}}
