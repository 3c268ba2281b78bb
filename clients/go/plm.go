// Package plm talks to plmd, the local model daemon, over its unix socket: JSON-RPC 2.0, one object
// a line.
//
// A Client is safe for concurrent use: all calls share one connection and are told apart by id. It
// connects when it is first needed and again after the daemon was restarted. A call whose context
// ends is cancelled in the daemon and returns ctx.Err(). What the daemon refuses comes back as an
// *Error with the contract's code; a connection that can't be made or breaks, as a *ConnError.
//
// Standard library only; nothing here depends on the size of int.
package plm

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrClosed is returned by calls on a Client after Close.
var ErrClosed = errors.New("plm: the client is closed")

// Client is a connection to the daemon, made and made again as needed.
type Client struct {
	socket string
	nextID atomic.Int64
	gate   chan struct{} // holds one token: the right to look at or change what follows
	conn   *conn
	closed bool
}

// New returns a Client that connects when it is first used. An empty socket means: $PLM_SOCKET, else
// the user's socket, else /run/plmd/plmd.sock.
func New(socket string) *Client {
	c := &Client{socket: socket, gate: make(chan struct{}, 1)}
	c.gate <- struct{}{}
	return c
}

// Dial is New, connected: it fails if no daemon listens.
func Dial(ctx context.Context, socket string) (*Client, error) {
	c := New(socket)
	if _, _, err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection; calls in flight fail with a *ConnError, and the daemon cancels them.
func (c *Client) Close() error {
	<-c.gate
	defer func() { c.gate <- struct{}{} }()
	c.closed = true
	if c.conn != nil {
		c.conn.fail(ErrClosed)
	}
	return nil
}

// connect returns the live connection; fresh says that it was made just now.
func (c *Client) connect(ctx context.Context) (live *conn, fresh bool, err error) {
	select {
	case <-c.gate:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	defer func() { c.gate <- struct{}{} }()
	if c.closed {
		return nil, false, ErrClosed
	}
	if c.conn != nil && c.conn.alive() {
		return c.conn, false, nil
	}
	nc, err := dialDaemon(ctx, c.socket)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, false, err
	}
	c.conn = newConn(nc)
	return c.conn, true, nil
}
