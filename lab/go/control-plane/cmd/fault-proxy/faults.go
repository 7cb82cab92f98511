// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/endpoints/request"
)

// What a fault does to the requests that it is for.
const (
	answer  = "answer"  // an error status instead of the API server's answer
	cut     = "cut"     // streams that are open break off, and so do answers, after some bytes
	slow    = "slow"    // answers and open streams trickle
	silence = "silence" // nothing is sent any more, on connections that stay open
	refuse  = "refuse"  // nobody listens: for all requests
)

// Fault is one kind of trouble, for the requests that it describes and for as long as it lasts.
type Fault struct {
	ID             int      `json:"id"`
	Action         string   `json:"action"`
	Status         int      `json:"status,omitempty"`
	RetryAfter     int      `json:"retry_after,omitempty"`
	AfterBytes     int      `json:"after_bytes,omitempty"`
	BytesPerSecond int      `json:"bytes_per_second,omitempty"`
	Path           string   `json:"path,omitempty"`
	Verbs          []string `json:"verbs,omitempty"`
	Requests       int      `json:"requests,omitempty"`
	Seconds        float64  `json:"seconds,omitempty"`
	Hits           int      `json:"hits"`

	path   *regexp.Regexp
	lifted chan struct{}
}

// asked is a request as the API server understands it.
type asked struct {
	info *request.RequestInfo
	uri  string
}

func (f *Fault) check() error {
	switch f.Action {
	case answer:
		if f.Status < 400 || f.Status > 599 {
			return fmt.Errorf("status %d is no error", f.Status)
		}
	case slow:
		if f.BytesPerSecond < 1 {
			return fmt.Errorf("bytes_per_second is missing")
		}
	case cut, silence:
	case refuse:
		if f.Path != "" || len(f.Verbs) > 0 || f.Requests > 0 {
			return fmt.Errorf("a connection is refused before it is known what is asked for")
		}
	default:
		return fmt.Errorf("there is no action %q", f.Action)
	}
	path, err := regexp.Compile(f.Path)
	if err != nil {
		return err
	}
	f.path = path
	return nil
}

func (f *Fault) isFor(a asked) bool {
	return f.Action != refuse && (len(f.Verbs) == 0 || slices.Contains(f.Verbs, a.info.Verb)) && f.path.MatchString(a.uri)
}

func (f *Fault) isUsedUp() bool {
	return f.Requests > 0 && f.Hits >= f.Requests
}

// stream is an answer that is under way.
type stream struct {
	asked asked
	cut   context.CancelFunc
}

// faults are the ones in force, in the order in which they were set.
type faults struct {
	onRefusal func(bool)

	mutex   sync.Mutex
	last    int
	inForce []*Fault
	streams map[*stream]struct{}
}

func newFaults() *faults {
	return &faults{streams: map[*stream]struct{}{}, onRefusal: func(bool) {}}
}

// add puts a fault in force. One that cuts begins with what is under way.
func (f *faults) add(fault *Fault) {
	fault.lifted = make(chan struct{})
	f.mutex.Lock()
	f.last++
	fault.ID = f.last
	f.inForce = append(f.inForce, fault)
	if fault.Action == cut {
		for open := range f.streams {
			if fault.isFor(open.asked) && !fault.isUsedUp() {
				fault.Hits++
				open.cut()
			}
		}
	}
	f.mutex.Unlock()
	if fault.Action == refuse {
		f.onRefusal(true)
	}
	if fault.Seconds > 0 {
		time.AfterFunc(time.Duration(fault.Seconds*float64(time.Second)), func() { f.lift(fault) })
	}
}

func (f *faults) lift(which ...*Fault) {
	f.mutex.Lock()
	wasRefusing := f.isRefusing()
	for _, fault := range which {
		if place := slices.Index(f.inForce, fault); place >= 0 {
			f.inForce = slices.Delete(f.inForce, place, place+1)
			close(fault.lifted)
		}
	}
	opens := wasRefusing && !f.isRefusing()
	f.mutex.Unlock()
	if opens {
		f.onRefusal(false)
	}
}

func (f *faults) clear() {
	f.lift(f.all()...)
}

func (f *faults) all() []*Fault {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.inForce)
}

// snapshot copies the faults in force, for those who look at them while requests go on.
func (f *faults) snapshot() []Fault {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	copies := make([]Fault, 0, len(f.inForce))
	for _, fault := range f.inForce {
		copies = append(copies, *fault)
	}
	return copies
}

func (f *faults) isRefusing() bool {
	return slices.ContainsFunc(f.inForce, func(fault *Fault) bool { return fault.Action == refuse })
}

// take returns the first fault for a new request that is not used up, and counts the request.
func (f *faults) take(a asked) *Fault {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, fault := range f.inForce {
		if fault.isFor(a) && !fault.isUsedUp() {
			fault.Hits++
			return fault
		}
	}
	return nil
}

// holding returns the fault that slows or silences a stream that is open, if there is one; nothing is counted.
func (f *faults) holding(a asked) *Fault {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, fault := range f.inForce {
		if (fault.Action == slow || fault.Action == silence) && fault.Requests == 0 && fault.isFor(a) {
			return fault
		}
	}
	return nil
}

func (f *faults) opened(s *stream) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.streams[s] = struct{}{}
}

func (f *faults) ended(s *stream) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.streams, s)
}
