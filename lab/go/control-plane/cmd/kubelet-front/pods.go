// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// debugSource is the annotation of a pod that oc debug made: what it was made for.
const debugSource = "debug.openshift.io/source-resource"

func isDebugPod(pod *corev1.Pod) bool { return pod.Annotations[debugSource] != "" }

// podLookup finds a pod by namespace and name, without asking the API server each time.
type podLookup struct {
	cached listers.PodLister
	client kubernetes.Interface
}

func watchPods(ctx context.Context, kubeconfig string) (podLookup, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return podLookup{}, err
	}
	// The client's own limit of five requests a second would make many execs wait for each other.
	config.QPS = -1
	config.UserAgent = "imagemode-lab-kubelet-front"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return podLookup{}, err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(onlyWhatIsAsked))
	lister := factory.Core().V1().Pods().Lister()
	factory.Start(ctx.Done())
	for _, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return podLookup{}, errors.New("stopped before the first list came")
		}
	}
	return podLookup{lister, client}, nil
}

// onlyWhatIsAsked keeps a thousand cached pods small.
func onlyWhatIsAsked(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	kept := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}}
	if isDebugPod(pod) {
		kept.Annotations = map[string]string{debugSource: pod.Annotations[debugSource]}
	}
	kept.Spec.NodeName = pod.Spec.NodeName
	for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		kept.Spec.Containers = append(kept.Spec.Containers, corev1.Container{Name: container.Name})
	}
	return kept, nil
}

// find returns the pod, or nil. A pod the watch has not told of yet is asked for.
func (p podLookup) find(ctx context.Context, namespace, name string) *corev1.Pod {
	if pod, err := p.cached.Pods(namespace).Get(name); err == nil {
		return pod
	}
	pod, err := p.client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return pod
}
