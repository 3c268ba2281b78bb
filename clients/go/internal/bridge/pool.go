package bridge

import (
	"sync"

	plm "plm.local/clients/go"
)

const (
	maxIdle = 16
	maxLent = 192 // the daemon allows a user 256: some are left for others
)

// pool lends connections to the daemon, each to one request at a time: the daemon shares out its time,
// bounds what is in flight and holds back slow readers by connection, so that no agent stands behind
// another of this bridge. What is not in use costs nothing but its open connection.
type pool struct {
	socket string

	mu     sync.Mutex
	idle   []*plm.Client
	lent   int
	closed bool
}

// take returns nil if too many are in use.
func (p *pool) take() *plm.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lent == maxLent {
		return nil
	}
	p.lent++
	if n := len(p.idle); n > 0 {
		client := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return client
	}
	return plm.New(p.socket)
}

func (p *pool) give(client *plm.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent--
	if p.closed || len(p.idle) == maxIdle {
		_ = client.Close() // never fails
		return
	}
	p.idle = append(p.idle, client)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, client := range p.idle {
		_ = client.Close() // never fails
	}
	p.idle = nil
}
