// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	crilogs "k8s.io/cri-client/pkg/logs"
	"k8s.io/klog/v2"
)

// buildLogs is the folder with one folder a build pod, as a kubelet lays it out:
// <namespace>_<pod>_<uid>/<container>/0.log, and beside the log a file "exited" once the container has ended.
type buildLogs struct{ dir string }

func (b buildLogs) folder(pod *corev1.Pod, container string) string {
	name := fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID)
	return filepath.Join(b.dir, name, filepath.Base(container))
}

func serveLogs(w http.ResponseWriter, r *http.Request, pods podLookup, nodes nodes, logs buildLogs) {
	pod, container := pods.find(r.Context(), r.PathValue("namespace"), r.PathValue("pod")), r.PathValue("container")
	if !checkContainer(w, pod, r.PathValue("pod"), container) || hangUpIfDown(w, nodes, pod.Spec.NodeName) {
		return
	}
	asked, err := logOptions(r.URL.Query())
	if err != nil {
		http.Error(w, fmt.Sprintf("unable to decode the query: %v", err), http.StatusBadRequest)
		return
	}
	file := filepath.Join(logs.folder(pod, container), "0.log")
	if isDebugPod(pod) {
		awaitFile(r.Context(), file)
	}
	if _, err := os.Stat(file); err != nil {
		http.Error(w, fmt.Sprintf("the lab has no log of container %q in pod %q: only image builds and debug pods have one, "+
			"from their start until their pod is deleted", container, pod.Name), http.StatusNotFound)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	out := flushing{w, http.NewResponseController(w)}
	out.flush()
	logger := klog.Background()
	options := crilogs.NewLogOptions(asked, time.Now())
	err = crilogs.ReadLogs(ctx, &logger, file, logs.folder(pod, container), options, containerStates{}, out, out)
	if err != nil && r.Context().Err() == nil {
		log.Printf("reading %s ended: %v", file, err)
	}
}

// awaitFile gives the build runner the moment it needs to begin a pod that KWOK has called running already.
func awaitFile(ctx context.Context, file string) {
	for tries := 0; tries < 200 && ctx.Err() == nil; tries++ {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// logOptions reads what the API server passes on of a client's PodLogOptions. The kubelet's own conversion belongs to
// a package that would bring half of Kubernetes with it.
func logOptions(query url.Values) (*corev1.PodLogOptions, error) {
	options := &corev1.PodLogOptions{}
	for name, target := range map[string]*bool{"follow": &options.Follow, "timestamps": &options.Timestamps} {
		if text := query.Get(name); text != "" {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			*target = value
		}
	}
	numbers := map[string]**int64{
		"tailLines": &options.TailLines, "limitBytes": &options.LimitBytes, "sinceSeconds": &options.SinceSeconds,
	}
	for name, target := range numbers {
		if text := query.Get(name); text != "" {
			value, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			*target = &value
		}
	}
	if text := query.Get("sinceTime"); text != "" {
		value, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, fmt.Errorf("sinceTime: %w", err)
		}
		options.SinceTime = &metav1.Time{Time: value}
	}
	return options, nil
}

// flushing hands every line on at once, for those who follow.
type flushing struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (f flushing) Write(line []byte) (int, error) {
	n, err := f.ResponseWriter.Write(line)
	f.flush()
	return n, err
}

func (f flushing) flush() {
	// A client that left is noticed by the next write.
	_ = f.control.Flush()
}

// containerStates tells the log reader whether a container still runs; the container's id is its log folder.
type containerStates struct{ internalapi.RuntimeService }

func (containerStates) ContainerStatus(_ context.Context, folder string, _ bool) (*runtimeapi.ContainerStatusResponse, error) {
	state := runtimeapi.ContainerState_CONTAINER_RUNNING
	_, logErr := os.Stat(filepath.Join(folder, "0.log"))
	_, exitedErr := os.Stat(filepath.Join(folder, "exited"))
	if logErr != nil || exitedErr == nil {
		state = runtimeapi.ContainerState_CONTAINER_EXITED
	}
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{State: state}}, nil
}
