// Command kube-controller-manager is the upstream controller manager, built from its module, with one change:
// a failed build pod is tried again after one second instead of ten, so that a build that fails four times
// fails within seconds (not as shipped; the lab's README lists it).
package main

import (
	"os"
	"time"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/pkg/controller/job"
)

func main() {
	job.DefaultJobPodFailureBackOff = time.Second
	os.Exit(cli.Run(app.NewControllerManagerCommand()))
}
