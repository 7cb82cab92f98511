// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// An upgraded request's context does not end with its connection, so a command that hangs would not notice that its
// client left. The streaming libraries read a connection all the time: the first failing read tells.

type clientListener struct{ net.Listener }

func (l clientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: conn, left: make(chan struct{})}, nil
}

type clientConn struct {
	net.Conn
	once sync.Once
	left chan struct{}
}

func (c *clientConn) Read(buffer []byte) (int, error) {
	n, err := c.Conn.Read(buffer)
	// A deadline is how the HTTP server takes a connection back for an upgrade; its client is still there.
	if timeout, ok := err.(net.Error); err != nil && !(ok && timeout.Timeout()) {
		c.once.Do(func() { close(c.left) })
	}
	return n, err
}

func (c *clientConn) Close() error {
	c.once.Do(func() { close(c.left) })
	return c.Conn.Close()
}

type clientKey struct{}

func withClient(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, clientKey{}, conn.(*tls.Conn).NetConn().(*clientConn).left)
}

// clientLeft is closed when the client of the request closed its connection.
func clientLeft(r *http.Request) <-chan struct{} {
	return r.Context().Value(clientKey{}).(chan struct{})
}
