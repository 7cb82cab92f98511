// SPDX-License-Identifier: GPL-3.0-or-later

// fault-proxy stands in front of the lab's API server and makes trouble when it is told to.
//
// Clients talk to it as they would to the API server: it ends TLS with a certificate of the lab's CA and hands on what
// they say, credentials included; watches, logs and upgraded connections stream. What it is to do wrong is told to it at a
// second port, over TLS and with the administrator's token.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	api, caFile, certFile, keyFile, tokenFile string
	port, controlPort                         int
}

func main() {
	var o options
	flag.StringVar(&o.api, "api", "", "address of the API server")
	flag.StringVar(&o.caFile, "ca", "", "file with the authority that signed the API server's certificate")
	flag.StringVar(&o.certFile, "tls-cert", "", "certificate for 127.0.0.1")
	flag.StringVar(&o.keyFile, "tls-key", "", "its key")
	flag.StringVar(&o.tokenFile, "token-file", "", "file with the token that allows faults to be set")
	flag.IntVar(&o.port, "port", 0, "loopback port to serve the API at")
	flag.IntVar(&o.controlPort, "control-port", 0, "loopback port to be told faults at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatalf("fault-proxy: %v", err)
	}
}

func run(ctx context.Context, o options) error {
	api, err := url.Parse(o.api)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(o.caFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return fmt.Errorf("no certificate in %s", o.caFile)
	}
	certificate, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
	if err != nil {
		return err
	}
	faults := newFaults()
	front := &front{
		address: fmt.Sprintf("127.0.0.1:%d", o.port),
		// Upgraded connections need HTTP/1.1.
		tls:     &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}},
		handler: newProxy(api, roots, faults),
	}
	if err := front.open(); err != nil {
		return err
	}
	faults.onRefusal = front.refuse
	control := &http.Server{
		Addr:              fmt.Sprintf("127.0.0.1:%d", o.controlPort),
		Handler:           controls(faults, strings.TrimSpace(string(token))),
		ReadHeaderTimeout: 30 * time.Second,
		// Whoever connects without a token fails here; it is no news.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		<-ctx.Done()
		front.close()
		control.Close()
	}()
	log.Printf("serving %s at https://%s", o.api, front.address)
	if err := control.ListenAndServeTLS(o.certFile, o.keyFile); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
