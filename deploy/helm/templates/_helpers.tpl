{{- define "immuaudit.labels" -}}
app.kubernetes.io/name: immuaudit
app.kubernetes.io/instance: {{ .name }}
{{- end }}
