// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// front is where clients connect. It can be shut, so that connections are refused, and opened again at the same port.
type front struct {
	address string
	tls     *tls.Config
	handler http.Handler

	mutex  sync.Mutex
	server *http.Server
}

func (f *front) open() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.server != nil {
		return nil
	}
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           f.handler,
		ReadHeaderTimeout: 30 * time.Second,
		// Clients that break off, and streams that are cut, are what this program is for.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	f.server = server
	go server.Serve(tls.NewListener(listener, f.tls))
	return nil
}

// close ends every connection, too.
func (f *front) close() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.server != nil {
		f.server.Close()
		f.server = nil
	}
}

// refuse shuts the front, or opens it again.
func (f *front) refuse(refusing bool) {
	if refusing {
		f.close()
		return
	}
	for attempt := 0; ; attempt++ {
		err := f.open()
		if err == nil {
			return
		}
		if attempt == 50 {
			log.Fatalf("fault-proxy: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
