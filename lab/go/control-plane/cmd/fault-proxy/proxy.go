// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
)

var requestInfo = request.RequestInfoFactory{
	APIPrefixes:          sets.NewString("api", "apis"),
	GrouplessAPIPrefixes: sets.NewString("api"),
}

type contextKey struct{}

// underWay is what the proxy knows of a request while it hands on the answer.
type underWay struct {
	asked asked
	fault *Fault
}

func newProxy(api *url.URL, roots *x509.CertPool, faults *faults) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}}
	transport.ForceAttemptHTTP2 = false
	// The API server chooses whether to compress by what the client asked for.
	transport.DisableCompression = true
	transport.MaxIdleConnsPerHost = 64
	onward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(api)
		},
		Transport: transport,
		// Every event of a watch, and every line of a log, at once.
		FlushInterval: -1,
		ErrorLog:      log.Default(),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
			}
			// A client of an API server that is away sees a connection that breaks, not a gateway's page.
			panic(http.ErrAbortHandler)
		},
		ModifyResponse: func(r *http.Response) error {
			// An upgraded connection belongs to both sides; it can only be cut, by its context.
			if r.StatusCode != http.StatusSwitchingProtocols {
				known := r.Request.Context().Value(contextKey{}).(underWay)
				r.Body = &troubledBody{ReadCloser: r.Body, ctx: r.Request.Context(), faults: faults, underWay: known}
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asked{info: understood(r), uri: r.URL.RequestURI()}
		fault := faults.take(a)
		if fault != nil && fault.Action == answer {
			writeStatus(w, a, fault)
			return
		}
		if fault != nil && fault.Action == silence {
			select {
			case <-r.Context().Done():
			case <-fault.lifted:
			}
			panic(http.ErrAbortHandler)
		}
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), contextKey{}, underWay{a, fault}))
		defer cancel()
		open := &stream{asked: a, cut: cancel}
		faults.opened(open)
		defer faults.ended(open)
		onward.ServeHTTP(w, r.WithContext(ctx))
	})
}

func understood(r *http.Request) *request.RequestInfo {
	info, err := requestInfo.NewRequestInfo(r)
	if err != nil {
		return &request.RequestInfo{Verb: r.Method, Path: r.URL.Path}
	}
	return info
}

func writeStatus(w http.ResponseWriter, a asked, fault *Fault) {
	message := fmt.Sprintf("%s (the lab's fault %d)", http.StatusText(fault.Status), fault.ID)
	reason := metav1.StatusReasonUnknown
	details := &metav1.StatusDetails{Group: a.info.APIGroup, Kind: a.info.Resource, Name: a.info.Name}
	switch fault.Status {
	case http.StatusUnauthorized:
		message, reason, details = "Unauthorized", metav1.StatusReasonUnauthorized, nil
	case http.StatusForbidden:
		reason = metav1.StatusReasonForbidden
		message = fmt.Sprintf("%s is forbidden: cannot %s resource %q in API group %q", a.info.Resource, a.info.Verb,
			a.info.Resource, a.info.APIGroup)
	case http.StatusGone:
		reason = metav1.StatusReasonExpired
		message = "too old resource version"
	case http.StatusTooManyRequests:
		reason = metav1.StatusReasonTooManyRequests
	}
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
		if details != nil {
			details.RetryAfterSeconds = int32(fault.RetryAfter)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(fault.Status)
	json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure,
		Code:     int32(fault.Status),
		Reason:   reason,
		Message:  message,
		Details:  details,
	})
}

// troubledBody hands an answer on as the faults let it.
type troubledBody struct {
	io.ReadCloser
	underWay
	ctx    context.Context
	faults *faults
	sent   int
}

func (b *troubledBody) Read(p []byte) (int, error) {
	if b.fault != nil && b.fault.Action == cut {
		left := b.fault.AfterBytes - b.sent
		if left <= 0 {
			return 0, io.ErrUnexpectedEOF
		}
		p = p[:min(len(p), left)]
	}
	if fault := b.slowing(); fault != nil {
		// Ten pieces a second.
		p = p[:min(len(p), max(1, fault.BytesPerSecond/10))]
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.ctx.Err() != nil {
		err = b.ctx.Err() // what was cut off must not look like an answer that came to its end
	}
	b.sent += n
	if n == 0 {
		return n, err
	}
	// What was read may be sent only when nothing holds it.
	for {
		fault := b.faults.holding(b.asked)
		if fault == nil || fault.Action != silence {
			break
		}
		select {
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		case <-fault.lifted:
		}
	}
	if fault := b.slowing(); fault != nil {
		select {
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		case <-time.After(time.Duration(float64(time.Second) * float64(n) / float64(fault.BytesPerSecond))):
		}
	}
	return n, err
}

func (b *troubledBody) slowing() *Fault {
	if b.fault != nil && b.fault.Action == slow {
		select {
		case <-b.fault.lifted:
			return nil
		default:
			return b.fault
		}
	}
	if fault := b.faults.holding(b.asked); fault != nil && fault.Action == slow {
		return fault
	}
	return nil
}
