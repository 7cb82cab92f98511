// SPDX-License-Identifier: GPL-3.0-or-later

// kubelet-front answers what the API server asks the kubelets of the lab's nodes for: exec and logs.
//
// The protocol is the kubelet's own (its streaming library, and the log reader of the container runtime interface), so
// that a client cannot tell the difference. Only the answers are scripted: files that the node daemon and the build
// runner write.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig to look pods up with")
	nodesDir := flag.String("nodes-dir", "", "folder with one folder a node, written by the node daemon")
	podsDir := flag.String("pods-dir", "", "folder with the logs of build pods (default: pods beside nodes-dir)")
	port := flag.Int("port", 0, "loopback port to serve at")
	certFile := flag.String("tls-cert", "", "certificate for 127.0.0.1")
	keyFile := flag.String("tls-key", "", "its key")
	clientCA := flag.String("client-ca", "", "file with the authority that signed the API server's client certificate")
	flag.Parse()
	if *podsDir == "" {
		*podsDir = filepath.Join(filepath.Dir(filepath.Clean(*nodesDir)), "pods")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *kubeconfig, *nodesDir, *podsDir, *port, *certFile, *keyFile, *clientCA); err != nil {
		log.Fatalf("kubelet-front: %v", err)
	}
}

// tlsConfig lets in who shows a certificate of the authority, as a kubelet does: commands run here as root.
func tlsConfig(certFile, keyFile, clientCA string) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("could not read the certificate: %w", err)
	}
	authority, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("could not read the clients' authority: %w", err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("no certificate in %s", clientCA)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientCAs:    clients,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		// Upgraded connections need HTTP/1.1.
		NextProtos: []string{"http/1.1"},
	}, nil
}

func serve(ctx context.Context, kubeconfig, nodesDir, podsDir string, port int, certFile, keyFile, clientCA string) error {
	config, err := tlsConfig(certFile, keyFile, clientCA)
	if err != nil {
		return err
	}
	pods, err := watchPods(ctx, kubeconfig)
	if err != nil {
		return fmt.Errorf("could not watch pods: %w", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           routes(pods, nodes{nodesDir}, buildLogs{podsDir}),
		ReadHeaderTimeout: 30 * time.Second,
		ConnContext:       withClient,
	}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	log.Printf("serving exec and logs at https://%s", listener.Addr())
	if err := server.Serve(tls.NewListener(clientListener{listener}, config)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes(pods podLookup, nodes nodes, logs buildLogs) http.Handler {
	mux := http.NewServeMux()
	exec := func(w http.ResponseWriter, r *http.Request) { serveExec(w, r, pods, nodes) }
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", exec)
	mux.HandleFunc("/exec/{namespace}/{pod}/{uid}/{container}", exec)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		serveLogs(w, r, pods, nodes, logs)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}
