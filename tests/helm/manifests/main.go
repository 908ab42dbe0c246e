// Manifests reads Kubernetes manifests from stdin and validates each against the types of the API and the restricted Pod Security
// level. It prints them as sorted lines with one canonical JSON object each. It uses no server. Exit codes: 0 if all are valid,
// otherwise 1 with the reason on stderr.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	if err := monitoring.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return err
	}
	// A strict decoder refuses unknown fields and duplicate fields.
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	var lines []string
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		plain, err := yaml.ToJSON(document)
		if err != nil {
			return err
		}
		if bytes.Equal(bytes.TrimSpace(plain), []byte("null")) {
			continue // the document has only comments
		}
		object, kind, err := codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return err
		}
		if err := restricted(evaluator, object); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		line, err := canonical(plain)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	return nil
}

// canonical returns JSON with sorted members.
func canonical(plain []byte) (string, error) {
	var value any
	if err := json.Unmarshal(plain, &value); err != nil {
		return "", err
	}
	sorted, err := json.Marshal(value)
	return string(sorted), err
}

// restricted returns an error if a namespace of the restricted level would refuse the pods of an object.
func restricted(evaluator policy.Evaluator, object runtime.Object) error {
	var pod core.PodTemplateSpec
	switch object := object.(type) {
	case *apps.Deployment:
		pod = object.Spec.Template
	case *apps.StatefulSet:
		pod = object.Spec.Template
	case *batch.CronJob:
		pod = object.Spec.JobTemplate.Spec.Template
	case *core.Pod:
		pod = core.PodTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
	case *core.PersistentVolumeClaim, *core.Service, *core.ServiceAccount, *core.Secret, *core.ConfigMap:
		return nil
	default:
		return nil
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	results := evaluator.EvaluatePod(level, &meta.ObjectMeta{Annotations: pod.Annotations}, &pod.Spec)
	if result := policy.AggregateCheckResults(results); !result.Allowed {
		return fmt.Errorf("a namespace of the restricted level would refuse this object: %s", result.ForbiddenDetail())
	}
	return nil
}
